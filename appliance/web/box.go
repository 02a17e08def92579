package web

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/casefile"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/appliance/store"
	"veilbox/capture/footage"
	"veilbox/redact"
	"veilbox/redact/subject"
)

// Box is what the pages and the API need of the box. *casework.Service is one.
// Each method checks what the actor may do, writes the audit entry before it
// acts, and returns *problem.Problem errors.
type Box interface {
	Sessions
	Cameras
	Cases
	Running
	Marking
	Exchange
	House
}

var _ Box = (*casework.Service)(nil)

// Sessions is who is here and who may be.
type Sessions interface {
	Login(ctx context.Context, login, password, code, from string) (token string, s account.Session, err error)
	PasskeyLoginOptions(ctx context.Context, from string) (account.Ceremony, error)
	PasskeyLogin(ctx context.Context, ceremony string, response json.RawMessage, from string) (token string, s account.Session, err error)
	Logout(context.Context, casework.Actor) error
	Authenticate(ctx context.Context, token string) (account.Session, error)
	Own
	People(context.Context, casework.Actor) ([]casework.PersonView, error)
	AddPerson(context.Context, casework.Actor, casework.NewPerson) (casework.PersonView, error)
	ChangePerson(context.Context, casework.Actor, incident.PersonID, casework.PersonChange) (casework.PersonView, error)
	ResetPassword(context.Context, casework.Actor, incident.PersonID) (casework.PersonView, error)
	ReviewPeople(context.Context, casework.Actor) ([]casework.ReviewView, error)
	ConfirmAuthorisation(ctx context.Context, a casework.Actor, id incident.PersonID, until *time.Time) (casework.PersonView, error)
	Acceptances(context.Context, casework.Actor) ([]store.Acceptance, error)
	AcceptedConditions(context.Context, casework.Actor) (bool, error)
	AcceptConditions(ctx context.Context, a casework.Actor, version string) error
}

// Own is the own account, open to whoever has still to set it up.
type Own interface {
	Account(context.Context, casework.Actor) (casework.AccountView, error)
	ChangePassword(ctx context.Context, a casework.Actor, old, new string) error // old is empty where there is none
	NewPasskey(context.Context, casework.Actor) (account.Ceremony, error)
	AddPasskey(ctx context.Context, a casework.Actor, ceremony, name string, response json.RawMessage) (casework.PasskeyView, error)
	RemovePasskey(ctx context.Context, a casework.Actor, id string) error
	NewTOTP(context.Context, casework.Actor) (account.TOTP, error)
	ConfirmTOTP(ctx context.Context, a casework.Actor, code string) error
	RemoveTOTP(ctx context.Context, a casework.Actor, password string) error
	ApprovalKey(ctx context.Context, a casework.Actor, id string) (account.Ceremony, error)
	RegisterApprovalKey(ctx context.Context, a casework.Actor, id, ceremony string, response json.RawMessage) (casework.PasskeyView, error)
	EndSession(ctx context.Context, a casework.Actor, id string) error
	EndOthers(context.Context, casework.Actor) error
}

// Cameras is what the box records.
type Cameras interface {
	Cameras(context.Context, casework.Actor) ([]casework.CameraView, error)
	ProbeCamera(context.Context, casework.Actor, casework.NewCamera) (casework.CameraDescription, error)
	AddCamera(context.Context, casework.Actor, casework.NewCamera) (casework.CameraView, error)
	RemoveCamera(context.Context, casework.Actor, footage.CameraID) error
	ChangeCamera(context.Context, casework.Actor, footage.CameraID, casework.CameraChange) (casework.CameraView, error)
	FindCameras(context.Context, casework.Actor) ([]casework.CameraFound, error)
	LookForStreams(context.Context, casework.Actor, casework.CameraLook) (casework.CameraFound, error)
	TrustCamera(context.Context, casework.Actor, footage.CameraID) error
	LookAtCamera(context.Context, casework.Actor, footage.CameraID) (casework.CameraView, error)
	AcceptDevice(context.Context, casework.Actor, footage.CameraID) error
	SetVeiled(context.Context, casework.Actor, footage.CameraID, casework.VeiledChange) (casework.CameraView, error)
	Timeline(ctx context.Context, a casework.Actor, cam footage.CameraID, from, to time.Time, px int) (casework.Timeline, error)
	Timelines(ctx context.Context, a casework.Actor, from, to time.Time, px int) ([]casework.Timeline, error)
	// Footage and CaseClip return a casework.NotReady while the video is made
	// anew for the browser.
	Footage(ctx context.Context, a casework.Actor, cam footage.CameraID, w casework.Wanted) (casework.Media, error)
	CameraPicture(ctx context.Context, a casework.Actor, cam footage.CameraID, at time.Time, width int) (casework.Picture, error)
	NewExport(ctx context.Context, a casework.Actor, cam footage.CameraID, n casework.NewExport, wait bool) (casework.ExportView, error)
	Export(ctx context.Context, a casework.Actor, id string) (casework.ExportView, error)
	ExportClip(ctx context.Context, a casework.Actor, id string) (casework.Media, casework.ExportView, error)
	ExportStatement(ctx context.Context, a casework.Actor, id string) ([]byte, error)
	Still(context.Context, casework.Actor, footage.CameraID) (jpeg []byte, err error)
	Live(context.Context, casework.Actor, footage.CameraID) error
}

// Cases is the work on a case.
type Cases interface {
	Cases(context.Context, casework.Actor) ([]casework.CaseView, error)
	NewCase(context.Context, casework.Actor, casework.NewCase) (casework.CaseView, error)
	Case(context.Context, casework.Actor, incident.CaseID) (casework.CaseView, error)
	ChangeCase(context.Context, casework.Actor, incident.CaseID, casework.Change) (casework.CaseView, error)
	CaseClip(ctx context.Context, a casework.Actor, id incident.CaseID, as string) (casework.Media, error)
	Redact(context.Context, casework.Actor, incident.CaseID, casework.SubjectChange) (casework.CaseView, error)
	CaseProgress(context.Context, casework.Actor, incident.CaseID) (casework.Progress, error)
	CancelRedaction(context.Context, casework.Actor, incident.CaseID) error
	Preview(context.Context, casework.Actor, incident.CaseID) (jpeg []byte, err error)
	CaseCopy(ctx context.Context, a casework.Actor, id incident.CaseID, download bool) (casework.Media, error)
	Sheet(context.Context, casework.Actor, incident.CaseID) (casework.SheetView, error)
	SheetPicture(ctx context.Context, a casework.Actor, id incident.CaseID, n int) (jpeg []byte, err error)
	Proof(context.Context, casework.Actor, incident.CaseID) (json []byte, err error)
	Submit(ctx context.Context, a casework.Actor, id incident.CaseID, version int) (casework.CaseView, error)
	Assess(context.Context, casework.Actor, incident.CaseID, casework.Verdict) (casework.CaseView, error)
	KeepSound(context.Context, casework.Actor, incident.CaseID, casework.SoundChange) (casework.CaseView, error)
	Report(context.Context, casework.Actor, incident.CaseID, casework.PoliceReport) (casework.CaseView, error)
	Withdraw(ctx context.Context, a casework.Actor, id incident.CaseID, reason string) (casework.CaseView, error)
	PrepareApproval(context.Context, casework.Actor, incident.CaseID, casework.Verdict) (casework.ApprovalView, error)
	Suggest(context.Context, casework.Actor, incident.CaseID) (casework.Suggestions, error)
	CircleCount(context.Context, casework.Actor, incident.Circle) (casework.CircleCount, error)
	AddDocument(ctx context.Context, a casework.Actor, id incident.CaseID, n casework.NewDocument, r io.Reader) (casework.CaseView, error)
	Document(ctx context.Context, a casework.Actor, id incident.CaseID, doc incident.DocumentID) (incident.Document, casework.Media, error)
	RemoveDocument(ctx context.Context, a casework.Actor, id incident.CaseID, doc incident.DocumentID, r casework.DocumentRemoval) (casework.CaseView, error)
}

// Running is what comes after a disclosure, and what the person on the footage
// may ask for.
type Running interface {
	SetFact(context.Context, casework.Actor, incident.CaseID, casework.NewFact) (casework.CaseView, error)
	Reassess(context.Context, casework.Actor, incident.CaseID, casework.Reassess) (casework.CaseView, error)
	Narrow(context.Context, casework.Actor, incident.CaseID, casework.Narrow) (casework.CaseView, error)
	DeleteCase(ctx context.Context, a casework.Actor, id incident.CaseID, reason string) error
	DeletionProof(context.Context, casework.Actor, incident.CaseID) ([]byte, error)
	CaseFile(context.Context, casework.Actor, incident.CaseID) (casefile.File, error)
	CaseFilePDF(ctx context.Context, a casework.Actor, id incident.CaseID, lang string, w io.Writer) error
	Holdings(context.Context, casework.Actor, incident.CaseID) (casework.Holdings, error)
	Inform(context.Context, casework.Actor, incident.CaseID, casework.NewInformed) (casework.CaseView, error)
	SubjectCopy(context.Context, casework.Actor, incident.CaseID, casework.Handout) (casework.Media, error)
	FindCases(context.Context, casework.Actor, casework.FindQuery) (casework.FindResult, error)
	// DeletedHere says that this shop has deleted what it had of another's.
	DeletedHere(ctx context.Context, a casework.Actor, id incident.DisclosureID, words string) error
}

// Marking follows people through a case's clip while a person looks on.
type Marking interface {
	OpenMarking(context.Context, casework.Actor, incident.CaseID) (casework.MarkingView, error)
	Marking(context.Context, casework.Actor, incident.CaseID) (casework.MarkingView, error)
	CloseMarking(context.Context, casework.Actor, incident.CaseID) error
	Follow(context.Context, casework.Actor, incident.CaseID, []subject.Subject) (casework.MarkingView, error)
	PeopleAt(ctx context.Context, a casework.Actor, id incident.CaseID, at float64) ([]redact.Person, error)
	Shapes(ctx context.Context, a casework.Actor, id incident.CaseID, from, to float64) (casework.ShapesView, error)
}

// Exchange is what goes to and comes from other members.
type Exchange interface {
	Alerts(context.Context, casework.Actor) ([]casework.Alert, error)
	View(ctx context.Context, a casework.Actor, id incident.DisclosureID, purpose string) (casework.Viewing, error)
	ViewingMedia(ctx context.Context, a casework.Actor, viewing string) (casework.Media, error)
	Members(context.Context, casework.Actor) ([]casework.Member, error)
	Enrolment(context.Context, casework.Actor) (casework.Enrolment, error)
	Enrol(ctx context.Context, a casework.Actor, code string) (casework.Enrolment, error)
}

// House is the box itself.
type House interface {
	Audit(context.Context, casework.Actor, audit.Filter) ([]audit.Entry, error)
	ExportAudit(ctx context.Context, a casework.Actor, w io.Writer, format audit.Format, f audit.Filter) error
	VerifyAudit(context.Context, casework.Actor) (audit.Report, error)
	Health(context.Context) ([]casework.Check, error)
	Holds(context.Context, casework.Actor) ([]casework.HoldView, error)
	ExtendHold(ctx context.Context, a casework.Actor, id string, ch casework.HoldChange) (casework.HoldView, error)
	ReleaseHold(ctx context.Context, a casework.Actor, id, reason string) error
	ConfirmClock(context.Context, casework.Actor) error
}
