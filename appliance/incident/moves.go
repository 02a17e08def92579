package incident

import (
	"fmt"
	"slices"

	"veilbox/internal/problem"
)

// A State is where a case stands.
type State string

const (
	Draft           State = "draft"            // marked by staff; nobody chosen to be seen yet
	Tagged          State = "tagged"           // the subject is marked; the copy is being made, or has to be made again
	Redacted        State = "redacted"         // a proved copy is there
	Submitted       State = "submitted"        // waits for the assessor
	Refused         State = "refused"          // the assessor said no, with reasons; may be changed and submitted again
	Released        State = "released"         // approved; on its way to the extranet
	Disclosed       State = "disclosed"        // the extranet has it
	ReassessmentDue State = "reassessment-due" // disclosed, and the nine conditions must be looked at again soon
	Narrowed        State = "narrowed"         // disclosed, to fewer than at first
	Withdrawn       State = "withdrawn"        // ended before time, by a person; or given up
	Expired         State = "expired"          // ended by a clock
	Deleted         State = "deleted"          // nothing personal is left; the proof of deletion is
)

// Running reports whether a disclosure of the case is on its way or available.
func (s State) Running() bool {
	return s == Released || s == Disclosed || s == ReassessmentDue || s == Narrowed
}

// Over reports whether the case has ended for good.
func (s State) Over() bool { return s == Withdrawn || s == Expired || s == Deleted }

// A Mover is who may move a case: a role of people, or a clock or service that
// acts by itself under its own name.
type Mover string

const (
	ByStaff    Mover = "staff"
	ByManager  Mover = "manager"
	ByAssessor Mover = "assessor"
	ByWorker   Mover = "worker"   // the box's redaction
	ByClock    Mover = "clock"    // the box's clock
	ByExtranet Mover = "extranet" // its receipt, its clock, its operator
)

// An Act moves a case from one state to another.
type Act string

const (
	ActMark     Act = "mark"     // choose who may be seen or heard, have the copy made (again)
	ActMade     Act = "made"     // the copy is made and proved
	ActCancel   Act = "cancel"   // no copy after all
	ActReturn   Act = "return"   // the copy that an assessor asked for is made and proved
	ActSubmit   Act = "submit"   // hand to the assessor
	ActRefuse   Act = "refuse"   // the assessor's no
	ActApprove  Act = "approve"  // the assessor's yes, where all nine are satisfied
	ActUndo     Act = "undo"     // a release that never left the box is taken back
	ActDeliver  Act = "deliver"  // the extranet has it
	ActReject   Act = "reject"   // the extranet would not have it
	ActRemind   Act = "remind"   // the reassessment is near
	ActReassess Act = "reassess" // all nine looked at again, and hold
	ActNarrow   Act = "narrow"   // members taken out of the circle
	ActWithdraw Act = "withdraw" // ended by a person
	ActFact     Act = "fact"     // ended by a fact that a person recorded: a condition holds no longer
	ActGiveUp   Act = "give-up"  // the footage is let go, so that the case can lead to nothing
	ActExpire   Act = "expire"   // ended by a clock
	ActDelete   Act = "delete"   // nothing personal is kept any longer
)

// A Move is one row of the table of what may become of a case.
type Move struct {
	From State
	Act  Act
	To   State
	By   []Mover
}

// ErrMove says that a case cannot make a move where it stands.
var ErrMove = problem.New(409, "case.state",
	problem.Text{DA: "Det kan ikke gøres, som sagen står nu.", EN: "That cannot be done as the case stands now."},
	problem.Text{DA: "Hent sagen igen for at se, hvor den står.", EN: "Load the case again to see where it stands."})

// Move makes one of Moves, or is ErrMove.
func (c *Case) Move(a Act, by Mover) error {
	for _, m := range Moves {
		if m.From == c.State && m.Act == a && slices.Contains(m.By, by) {
			c.State = m.To
			return nil
		}
	}
	return ErrMove.With(fmt.Errorf("incident: %s by %s of a case that is %s", a, by, c.State))
}

var (
	people    = []Mover{ByStaff, ByManager}
	everybody = []Mover{ByStaff, ByManager, ByAssessor}
)

// Moves is every move there is. A test draws docs/states.md from it.
var Moves = []Move{
	{Draft, ActMark, Tagged, people},
	{Redacted, ActMark, Tagged, people},
	{Refused, ActMark, Tagged, people},
	{Submitted, ActMark, Tagged, []Mover{ByAssessor}}, // the sound: the copy is made anew, and comes back
	{Tagged, ActCancel, Draft, []Mover{ByWorker}},     // it failed, or a person asked for it to be stopped
	{Tagged, ActMade, Redacted, []Mover{ByWorker}},
	{Tagged, ActReturn, Submitted, []Mover{ByWorker}},
	{Redacted, ActSubmit, Submitted, people},
	{Refused, ActSubmit, Submitted, people},
	{Submitted, ActRefuse, Refused, []Mover{ByAssessor}},
	{Submitted, ActApprove, Released, []Mover{ByAssessor}},
	{Released, ActUndo, Submitted, []Mover{ByClock}},
	{Released, ActDeliver, Disclosed, []Mover{ByExtranet}},
	{Released, ActReject, Refused, []Mover{ByExtranet}},
	{Disclosed, ActRemind, ReassessmentDue, []Mover{ByClock}},
	{Narrowed, ActRemind, ReassessmentDue, []Mover{ByClock}},
	{Disclosed, ActReassess, Disclosed, []Mover{ByAssessor}},
	{ReassessmentDue, ActReassess, Disclosed, []Mover{ByAssessor}},
	{Narrowed, ActReassess, Narrowed, []Mover{ByAssessor}},
	{Disclosed, ActNarrow, Narrowed, []Mover{ByAssessor, ByManager}},
	{ReassessmentDue, ActNarrow, ReassessmentDue, []Mover{ByAssessor, ByManager}},
	{Narrowed, ActNarrow, Narrowed, []Mover{ByAssessor, ByManager}},
	{Released, ActWithdraw, Withdrawn, []Mover{ByAssessor, ByManager}},
	{Disclosed, ActWithdraw, Withdrawn, []Mover{ByAssessor, ByManager}},
	{ReassessmentDue, ActWithdraw, Withdrawn, []Mover{ByAssessor, ByManager}},
	{Narrowed, ActWithdraw, Withdrawn, []Mover{ByAssessor, ByManager}},
	{Released, ActFact, Withdrawn, everybody},
	{Disclosed, ActFact, Withdrawn, everybody},
	{ReassessmentDue, ActFact, Withdrawn, everybody},
	{Narrowed, ActFact, Withdrawn, everybody},
	{Draft, ActGiveUp, Withdrawn, []Mover{ByManager}},
	{Redacted, ActGiveUp, Withdrawn, []Mover{ByManager}},
	{Refused, ActGiveUp, Withdrawn, []Mover{ByManager}},
	{Submitted, ActGiveUp, Withdrawn, []Mover{ByManager}}, // no assessor answers: a person's data do not wait for one
	{Released, ActExpire, Expired, []Mover{ByClock, ByExtranet}},
	{Disclosed, ActExpire, Expired, []Mover{ByClock, ByExtranet}},
	{ReassessmentDue, ActExpire, Expired, []Mover{ByClock, ByExtranet}},
	{Narrowed, ActExpire, Expired, []Mover{ByClock, ByExtranet}},
	{Draft, ActDelete, Deleted, []Mover{ByManager, ByClock}},
	{Redacted, ActDelete, Deleted, []Mover{ByManager, ByClock}},
	{Refused, ActDelete, Deleted, []Mover{ByManager, ByClock}},
	{Withdrawn, ActDelete, Deleted, []Mover{ByManager, ByClock}},
	{Expired, ActDelete, Deleted, []Mover{ByManager, ByClock}},
}
