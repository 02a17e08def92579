package account

import "slices"

// A Role is what a person is to the shop. A person may have several.
type Role string

const (
	Staff    Role = "staff"    // marks incidents
	Manager  Role = "manager"  // authorises people, runs the cameras
	Assessor Role = "assessor" // the qualified professional (V9)
	Auditor  Role = "auditor"  // reads the audit log, sees no footage
	Operator Role = "operator" // looks after the box, sees no footage
)

// Roles is all roles.
var Roles = []Role{Staff, Manager, Assessor, Auditor, Operator}

// A Permission is one kind of act.
type Permission string

const (
	ViewLive      Permission = "view-live"
	ViewFootage   Permission = "view-footage"
	ExportFootage Permission = "export-footage"
	KeepFootage   Permission = "keep-footage" // say that held footage may go, and that the box's clock is right
	ViewCases     Permission = "view-cases"
	ViewShared    Permission = "view-shared" // what other members share with this one
	Tag           Permission = "tag"         // make and change a case, mark the subject
	Submit        Permission = "submit"
	Assess        Permission = "assess"
	Withdraw      Permission = "withdraw"
	ManagePeople  Permission = "manage-people"
	ManageCameras Permission = "manage-cameras"
	ReadAudit     Permission = "read-audit"
	ViewHealth    Permission = "view-health"
	DeleteCase    Permission = "delete-case"
	CaseFile      Permission = "case-file"   // all that is kept about a case, without a picture of it
	Narrow        Permission = "narrow"      // take members out of a running disclosure
	RecordFact    Permission = "record-fact" // what happened after a disclosure: a charge, a withdrawn report
)

// Permissions is all permissions.
var Permissions = []Permission{ViewLive, ViewFootage, ExportFootage, KeepFootage, ViewCases, ViewShared, Tag, Submit, Assess, Withdraw, ManagePeople, ManageCameras, ReadAudit, ViewHealth, DeleteCase, CaseFile, Narrow, RecordFact}

// may is who may do what. What is not here may not be done.
var may = map[Role][]Permission{
	Staff:    {ViewLive, ViewFootage, ViewCases, ViewShared, Tag, Submit, ViewHealth, RecordFact},
	Manager:  {ViewLive, ViewFootage, ExportFootage, KeepFootage, ViewCases, ViewShared, Tag, Submit, Withdraw, ManagePeople, ManageCameras, ReadAudit, ViewHealth, DeleteCase, CaseFile, Narrow, RecordFact},
	Assessor: {ViewFootage, ViewCases, ViewShared, Assess, Withdraw, ViewHealth, CaseFile, Narrow, RecordFact},
	Auditor:  {ReadAudit, ViewHealth, CaseFile},
	Operator: {ManageCameras, ViewHealth},
}

// Can reports whether role has permission p.
func Can(role Role, p Permission) bool { return slices.Contains(may[role], p) }

// NeedsAuthorisation reports whether p shows footage or a person on it, so that
// it asks for a formal authorisation beside the role (V7). A case file holds no
// picture: the auditor reads it as the log.
func NeedsAuthorisation(p Permission) bool {
	switch p {
	case ManagePeople, ManageCameras, ReadAudit, ViewHealth, CaseFile:
		return false
	}
	return true
}

func knownRoles(roles []Role) bool {
	for i, r := range roles {
		if !slices.Contains(Roles, r) || slices.Contains(roles[:i], r) {
			return false
		}
	}
	return len(roles) > 0
}

// The auditor stays apart from those whom the log is about: who marks, who
// manages, who approves.
func compatible(roles []Role) bool {
	return !slices.Contains(roles, Auditor) || !slices.Contains(roles, Staff) && !slices.Contains(roles, Manager) && !slices.Contains(roles, Assessor)
}
