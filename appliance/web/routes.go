package web

import (
	"net/http"

	"veilbox/appliance/casework"
)

const (
	get    = http.MethodGet
	post   = http.MethodPost
	put    = http.MethodPut
	patch  = http.MethodPatch
	remove = http.MethodDelete
)

// routes is everything that is served, pages and API.
func (s *server) routes() []route {
	return append(s.apiRoutes(), s.pageRoutes()...)
}

func (s *server) pageRoutes() []route {
	return []route{
		{get, "/{$}", fullPage, s.startPage},
		{get, "/login", anyone, s.loginPage},
		{post, "/login", anyone, s.loginForm},
		{post, "/logout", ownOnly, s.logoutForm},
		{post, "/language", anyone, s.languageForm},
		{get, "/conditions", firstPage, s.conditionsPage},
		{get, "/account", firstPage, s.accountPage},
		{get, "/cameras/{cam}", fullPage, s.cameraPage},
		{get, "/timeline", fullPage, s.timelinePage},
		{get, "/cases/{id}", fullPage, s.casePage},
		{get, "/alerts", fullPage, s.alertsPage},
		{get, "/alerts/{id}", fullPage, s.alertPage},
		{get, "/admin", fullPage, s.adminPage},
		{get, "/people", fullPage, s.peoplePage},
		{get, "/audit", fullPage, s.auditPage},
		{get, "/rights", fullPage, s.rightsPage},
		{get, "/assets/{file...}", anyone, s.assetFile},
		{get, "/healthz", anyone, s.healthz},
	}
}

func (s *server) apiRoutes() []route {
	return []route{
		{post, "/api/v1/session", anyone, s.apiLogin},
		{post, "/api/v1/session/passkey/options", anyone, s.apiPasskeyOptions},
		{post, "/api/v1/session/passkey", anyone, s.apiPasskeyLogin},
		{get, "/api/v1/session", ownOnly, s.apiSession},
		{remove, "/api/v1/session", ownOnly, s.apiLogout},
		{get, "/api/v1/session/account", ownOnly, s.apiOwnAccount},
		{remove, "/api/v1/session/others", ownOnly, s.apiEndOthers},
		{remove, "/api/v1/session/others/{sid}", ownOnly, s.apiEndSession},
		{post, "/api/v1/session/password", ownOnly, s.apiPassword},
		{post, "/api/v1/session/passkeys/options", ownOnly, s.apiNewPasskey},
		{post, "/api/v1/session/passkeys", ownOnly, s.apiAddPasskey},
		{remove, "/api/v1/session/passkeys/{key}", ownOnly, s.apiRemovePasskey},
		{post, "/api/v1/session/passkeys/{key}/approval/options", signedIn, s.apiApprovalKey},
		{post, "/api/v1/session/passkeys/{key}/approval", signedIn, s.apiRegisterApprovalKey},
		{post, "/api/v1/session/totp", ownOnly, s.apiNewTOTP},
		{put, "/api/v1/session/totp", ownOnly, s.apiConfirmTOTP},
		{remove, "/api/v1/session/totp", ownOnly, s.apiRemoveTOTP},
		{get, "/api/v1/people", signedIn, s.apiPeople},
		{post, "/api/v1/people", signedIn, s.apiAddPerson},
		{get, "/api/v1/people/review", signedIn, s.apiReview},
		{post, "/api/v1/people/{id}/review", signedIn, s.apiConfirmAuthorisation},
		{get, "/api/v1/acceptances", signedIn, s.apiAcceptances},
		{patch, "/api/v1/people/{id}", signedIn, s.apiChangePerson},
		{post, "/api/v1/people/{id}/password", signedIn, s.apiResetPassword},
		{get, "/api/v1/conditions", ownOnly, s.apiConditions},
		{post, "/api/v1/conditions", signedIn, s.apiAccept},

		{get, "/api/v1/cameras", signedIn, s.apiCameras},
		{post, "/api/v1/cameras", signedIn, s.apiAddCamera},
		{post, "/api/v1/cameras/probe", signedIn, s.apiProbe},
		{post, "/api/v1/cameras/find", signedIn, s.apiFindCameras},
		{post, "/api/v1/cameras/look", signedIn, s.apiLookForStreams},
		{patch, "/api/v1/cameras/{cam}", signedIn, s.apiChangeCamera},
		{remove, "/api/v1/cameras/{cam}", signedIn, s.apiRemoveCamera},
		{remove, "/api/v1/cameras/{cam}/pin", signedIn, s.apiTrustCamera},
		{post, "/api/v1/cameras/{cam}/device", signedIn, s.apiLookAtCamera},
		{remove, "/api/v1/cameras/{cam}/device", signedIn, s.apiAcceptDevice},
		{put, "/api/v1/cameras/{cam}/veiled", signedIn, s.apiVeiled},
		{get, "/api/v1/timeline", signedIn, s.apiTimelines},
		{get, "/api/v1/cameras/{cam}/timeline", signedIn, s.apiTimeline},
		{get, "/api/v1/cameras/{cam}/footage.mp4", signedIn, s.apiFootage},
		{get, "/api/v1/cameras/{cam}/picture.jpg", signedIn, s.apiPicture},
		{get, "/api/v1/cameras/{cam}/still.jpg", signedIn, s.apiStill},
		{post, "/api/v1/cameras/{cam}/exports", signedIn, s.apiNewExport},
		{get, "/api/v1/exports/{id}", signedIn, s.apiExport},
		{get, "/api/v1/exports/{id}/clip.mp4", signedIn, s.apiExportClip},
		{get, "/api/v1/exports/{id}/statement.txt", signedIn, s.apiExportStatement},
		{post, "/api/v1/cameras/{cam}/whep", signedIn, s.apiLive},
		{remove, "/api/v1/cameras/{cam}/whep/{session}", signedIn, s.apiLiveEnd},

		{get, "/api/v1/cases", signedIn, s.apiCases},
		{post, "/api/v1/cases", signedIn, s.apiNewCase},
		{get, "/api/v1/cases/{id}", signedIn, s.apiCase},
		{put, "/api/v1/cases/{id}", signedIn, s.apiChangeCase},
		{get, "/api/v1/cases/{id}/clip.mp4", signedIn, s.apiClip},
		{put, "/api/v1/cases/{id}/subject", signedIn, s.apiRedact},
		{post, "/api/v1/cases/{id}/marking", signedIn, s.apiOpenMarking},
		{get, "/api/v1/cases/{id}/marking", signedIn, s.apiMarking},
		{put, "/api/v1/cases/{id}/marking", signedIn, s.apiFollow},
		{remove, "/api/v1/cases/{id}/marking", signedIn, s.apiCloseMarking},
		{get, "/api/v1/cases/{id}/marking/people", signedIn, s.apiPeopleAt},
		{get, "/api/v1/cases/{id}/marking/shapes", signedIn, s.apiShapes},
		{get, "/api/v1/cases/{id}/progress", signedIn, s.apiProgress},
		{get, "/api/v1/cases/{id}/preview.jpg", signedIn, s.apiPreview},
		{remove, "/api/v1/cases/{id}/progress", signedIn, s.apiCancel},
		{get, "/api/v1/cases/{id}/copy.mp4", signedIn, s.apiCopy},
		{get, "/api/v1/cases/{id}/copy.jpg", signedIn, s.apiCopy},
		{get, "/api/v1/cases/{id}/sheet", signedIn, s.apiSheet},
		{get, "/api/v1/cases/{id}/sheet/{picture}", signedIn, s.apiSheetPicture},
		{get, "/api/v1/cases/{id}/proof.json", signedIn, s.apiProof},
		{post, "/api/v1/cases/{id}/submit", signedIn, s.apiSubmit},
		{post, "/api/v1/cases/{id}/assessment/options", signedIn, s.apiPrepareApproval},
		{post, "/api/v1/cases/{id}/assessment", signedIn, s.apiAssess},
		{put, "/api/v1/cases/{id}/sound", signedIn, s.apiSound},
		{post, "/api/v1/cases/{id}/report", signedIn, s.apiReport},
		{post, "/api/v1/cases/{id}/withdrawal", signedIn, s.apiWithdraw},
		{remove, "/api/v1/cases/{id}", signedIn, s.apiDeleteCase},
		{get, "/api/v1/cases/{id}/suggestions", signedIn, s.apiSuggest},
		{post, "/api/v1/circle", signedIn, s.apiCircle},
		{post, "/api/v1/cases/{id}/documents", signedIn, s.apiAddDocument},
		{get, "/api/v1/cases/{id}/documents/{doc}", signedIn, s.apiDocument},
		{remove, "/api/v1/cases/{id}/documents/{doc}", signedIn, s.apiRemoveDocument},
		{post, "/api/v1/cases/{id}/facts", signedIn, s.apiFact},
		{post, "/api/v1/cases/{id}/reassessments", signedIn, s.apiReassess},
		{post, "/api/v1/cases/{id}/narrowings", signedIn, s.apiNarrow},
		{post, "/api/v1/cases/{id}/informed", signedIn, s.apiInform},
		{post, "/api/v1/cases/{id}/handout", signedIn, s.apiHandout},
		{get, "/api/v1/cases/{id}/holdings", signedIn, s.apiHoldings},
		{get, "/api/v1/cases/{id}/file.json", signedIn, s.apiCaseFile},
		{get, "/api/v1/cases/{id}/file.pdf", signedIn, s.apiCaseFilePDF},
		{get, "/api/v1/cases/{id}/deletion.txt", signedIn, s.apiDeletionProof},
		{post, "/api/v1/rights/find", signedIn, s.apiFindCases},

		{get, "/api/v1/alerts", signedIn, s.apiAlerts},
		{post, "/api/v1/alerts/{id}/viewings", signedIn, s.apiView},
		{post, "/api/v1/alerts/{id}/deletion", signedIn, s.apiDeletedHere},
		{get, "/api/v1/viewings/{vid}/copy.mp4", signedIn, s.apiViewing},
		{get, "/api/v1/viewings/{vid}/copy.jpg", signedIn, s.apiViewing},
		{get, "/api/v1/members", signedIn, s.apiMembers},
		{get, "/api/v1/enrolment", signedIn, s.apiEnrolment},
		{post, "/api/v1/enrolment", signedIn, s.apiEnrol},

		{get, "/api/v1/audit", signedIn, s.apiAudit},
		{get, "/api/v1/audit/export", signedIn, s.apiExportAudit},
		{get, "/api/v1/audit/verify", signedIn, s.apiVerify},
		{get, "/api/v1/health", signedIn, s.apiHealth},
		{get, "/api/v1/holds", signedIn, s.apiHolds},
		{post, "/api/v1/holds/{id}", signedIn, s.apiExtendHold},
		{post, "/api/v1/holds/{id}/release", signedIn, s.apiReleaseHold},
		{post, "/api/v1/clock", signedIn, s.apiClock},
	}
}

// healthz says that the program answers, and whether the box is well. It names
// nothing: whoever asks has not logged in.
func (s *server) healthz(w http.ResponseWriter, r *http.Request, _ casework.Actor) error {
	checks, err := s.Box.Health(r.Context())
	if err != nil {
		return err
	}
	state := "ok"
	for _, c := range checks {
		if !c.OK {
			state = "degraded"
		}
	}
	return writeJSON(w, http.StatusOK, healthzView{State: state, Version: s.Version})
}

type healthzView struct {
	State   string `json:"state"` // "ok" or "degraded"; details need a log-in
	Version string `json:"version"`
}
