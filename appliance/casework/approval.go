package casework

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/internal/clock"
	"veilbox/internal/passkey"
	"veilbox/internal/problem"
	"veilbox/redact"
)

const (
	// approvalLife is how long what was prepared waits for its signature.
	approvalLife = 5 * time.Minute
	// maxApprovals bounds what waits, maxApprovalsEach what waits of one person.
	maxApprovals     = 64
	maxApprovalsEach = 4
)

var (
	errApproval = problem.New(409, "assess.over",
		problem.Text{DA: "Godkendelsen er ikke længere gyldig: den er for gammel, eller sagen er ændret, siden den blev gjort klar.", EN: "The approval no longer holds: it is too old, or the case has changed since it was prepared."},
		problem.Text{DA: "Se sagen igen og vælg godkend én gang til.", EN: "Look at the case again and choose approve once more."})
	errSignature = problem.New(403, "assess.signature",
		problem.Text{DA: "Godkendelsen er ikke underskrevet med den adgangsnøgle, der blev bedt om.", EN: "The approval is not signed with the passkey that was asked for."},
		problem.Text{DA: "Brug din egen adgangsnøgle, og bekræft med fingeraftryk, ansigt eller pinkode.", EN: "Use your own passkey, and confirm with fingerprint, face or PIN."})
	errNoKey = problem.New(409, "assess.key",
		problem.Text{DA: "Du har ingen adgangsnøgle, som driften har bekræftet til godkendelser.", EN: "You have no passkey that the operator has confirmed for approvals."},
		problem.Text{DA: "Tilmeld en adgangsnøgle til godkendelser under din konto, og bed driften bekræfte den.", EN: "Register a passkey for approvals under your account, and ask the operator to confirm it."})
	errManyApprovals = problem.New(429, "assess.busy",
		problem.Text{DA: "Der venter for mange godkendelser på en underskrift.", EN: "Too many approvals wait for a signature."},
		problem.Text{DA: "Vent fem minutter og prøv igen.", EN: "Wait five minutes and try again."})
)

// A pendingApproval waits for its signature.
type pendingApproval struct {
	person     incident.Person
	session    string // the actor's
	verdict    Verdict
	version    int // of the case in store
	disclosure incident.DisclosureID
	assessment incident.Assessment
	key        passkey.Key
	rel        policy.Release // zero: an opinion
	approval   Approval
	until      time.Time
}

// approvals is what waits. It is lost with the process, and nothing with it:
// nothing is done before the signature.
type approvals struct {
	mu sync.Mutex
	m  map[string]pendingApproval
}

func (p *approvals) add(id string, x pendingApproval, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	mine := ""
	n := 0
	for k, o := range p.m {
		if !now.Before(o.until) {
			delete(p.m, k)
			continue
		}
		if o.person.ID == x.person.ID {
			if n++; mine == "" || o.until.Before(p.m[mine].until) {
				mine = k
			}
		}
	}
	if n >= maxApprovalsEach {
		delete(p.m, mine) // the oldest of the same person
	}
	if len(p.m) >= maxApprovals {
		return errManyApprovals
	}
	p.m[id] = x
	return nil
}

// take returns what waits under id and forgets it: a signature is for one try.
func (p *approvals) take(id string, now time.Time) (pendingApproval, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x, ok := p.m[id]
	delete(p.m, id)
	return x, ok && now.Before(x.until)
}

// checkVerdict returns what is wrong with v as it was written.
func checkVerdict(v Verdict) error {
	if err := errors.Join(checkWords("reasons", v.Reasons, audit.MaxText), checkWords("guideline", v.Guideline, maxWords)); err != nil {
		return err
	}
	if strings.TrimSpace(v.Reasons) == "" {
		return badInput("assess.reasons", "Skriv begrundelsen for din afgørelse; den skal kunne dokumenteres.", "Write the reasons for your decision; they must be on record.")
	}
	if v.Decision != incident.Approve && v.Decision != incident.Refuse {
		return badInput("assess.decision", "Vælg godkend eller afvis.", "Choose approve or refuse.")
	}
	return nil
}

// decide adds the assessment to a case that waits for one.
func decide(c *incident.Case, v Verdict, x incident.Assessment) error {
	if c.State != incident.Submitted {
		return wrongState("Sagen venter ikke på en vurdering.", "The case does not wait for an assessment.")
	}
	if c.Copy == nil || c.Copy.Hash != v.Copy || c.Copy.Sheet != v.Sheet {
		return wrongState("Kopien er lavet om, siden du så den.", "The copy has been made anew since you saw it.")
	}
	c.Assessments = append(c.Assessments, x)
	return nil
}

// unchanged is nil where s and its case are as they were when v was read.
func (s *Service) unchanged(c incident.Case, version int) error {
	if s.releasing[c.ID] {
		return wrongState("Sagen er ved at blive sendt.", "The case is just being sent.")
	}
	if version > 0 && version != c.Version {
		return errConflict
	}
	return nil
}

// PrepareApproval puts the case to the gate with v added to it and says what the
// assessor's passkey is to sign. Nothing is done before Assess has the signature.
func (s *Service) PrepareApproval(ctx context.Context, a Actor, id incident.CaseID, v Verdict) (ApprovalView, error) {
	if err := s.allowAccepted(ctx, a, account.Assess); err != nil {
		return ApprovalView{}, err
	}
	if err := checkVerdict(v); err != nil {
		return ApprovalView{}, err
	}
	if v.Decision != incident.Approve {
		return ApprovalView{}, badInput("assess.decision", "Kun en godkendelse bliver underskrevet.", "Only an approval is signed.")
	}
	key, err := s.approvalKey(ctx, a, v.Key)
	if err != nil {
		return ApprovalView{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.load(ctx, id)
	if err != nil {
		return ApprovalView{}, err
	}
	if err := s.unchanged(c, v.Version); err != nil {
		return ApprovalView{}, err
	}
	now := s.o.Clock.Now().UTC()
	p := pendingApproval{
		person: a.Session.Person.Clone(), session: a.Session.ID(), verdict: v, version: c.Version, key: key, until: now.Add(approvalLife),
		assessment: incident.Assessment{
			Assessor: a.Session.Person.Clone(), At: now, Decision: v.Decision, Reasons: v.Reasons,
			SawSheet: v.Sheet, Copy: v.Copy, Guideline: v.Guideline, SawFlagged: v.SawFlagged,
		},
	}
	verdict, err := s.put(ctx, &c, v, p.assessment)
	if err != nil {
		return ApprovalView{}, err
	}
	rel, released := verdict.Release()
	if released {
		p.rel, p.disclosure = rel, incident.DisclosureID(rand.Text())
		p.approval, err = s.o.Uplink.Prepare(ctx, p.disclosure, rel, p.key, alertOf(c))
	} else if missing := verdict.Missing(); !onlyCompetences(missing) {
		return ApprovalView{}, missingProblem(missing)
	} else {
		p.approval, err = opinion(c, p.assessment, p.key)
	}
	if err != nil {
		return ApprovalView{}, fmt.Errorf("casework: say what is to be signed: %w", err)
	}
	options, err := passkey.RequestOptions(p.key.RPID, p.approval.Challenge, approvalLife, p.key.ID)
	if err != nil {
		return ApprovalView{}, err
	}
	ceremony := rand.Text()
	if err := s.approvals.add(ceremony, p, now); err != nil {
		return ApprovalView{}, err
	}
	return ApprovalView{
		Ceremony: account.Ceremony{ID: ceremony, Options: options}, Statement: string(p.approval.Statement),
		Hash: hex.EncodeToString(p.approval.Challenge), Opinion: !released, Until: p.until,
	}, nil
}

// put gives c the assessment and asks the gate as things stand now.
func (s *Service) put(ctx context.Context, c *incident.Case, v Verdict, x incident.Assessment) (policy.Verdict, error) {
	if err := decide(c, v, x); err != nil {
		return policy.Verdict{}, err
	}
	if err := errors.Join(s.freshen(ctx, c), s.hold(ctx, c)); err != nil {
		return policy.Verdict{}, err
	}
	return policy.Assess(*c, s.deadlineNow(), s.o.Settings), nil
}

// Assess records an assessor's decision. An approval is signed with the
// assessor's passkey (PrepareApproval); where all nine conditions are met at this
// moment as well, the copy is released, sealed to the circle and queued.
func (s *Service) Assess(ctx context.Context, a Actor, id incident.CaseID, v Verdict) (CaseView, error) {
	if err := s.allowAccepted(ctx, a, account.Assess); err != nil {
		return CaseView{}, err
	}
	if err := checkVerdict(v); err != nil {
		return CaseView{}, err
	}
	if v.Decision == incident.Refuse {
		return s.refuse(ctx, a, id, v)
	}
	p, signature, err := s.signed(ctx, a, v)
	if err != nil {
		// Somebody tried: that belongs on record as a refused log-in does.
		return CaseView{}, errors.Join(err, s.record(ctx, a, "case.approve.refused", problem.Of(err).Code, map[string]string{"case": string(id)}))
	}
	p.assessment.Signed = &incident.Signed{Statement: p.approval.Statement, Key: p.key, Assertion: signature}
	var rel policy.Release
	view, err := s.change(ctx, a, id, p.version, "case.approve", v.Reasons, func(c *incident.Case) error {
		verdict, err := s.put(ctx, c, v, p.assessment)
		if err != nil {
			return err
		}
		now, ok := verdict.Release()
		if missing := verdict.Missing(); !ok && !onlyCompetences(missing) {
			return missingProblem(missing)
		}
		if ok == p.rel.IsZero() {
			return errApproval // what was signed was another thing
		}
		if !ok {
			// This approval stands; another assessor's competences are needed
			// beside it, and the case goes on waiting.
			return nil
		}
		if !sameRelease(now, p.rel) {
			return errApproval
		}
		if err := s.move(c, a, incident.ActApprove); err != nil {
			return err
		}
		// Counted from when it was signed for: what follows is never longer.
		c.Disclosure = &incident.Disclosure{
			ID: p.disclosure, Released: p.rel.At().UTC(), NotAfter: p.rel.NotAfter().UTC(), ReportDue: p.rel.ReportDue().UTC(), Members: now.Circle().Members,
		}
		s.releasing[c.ID], rel = true, now
		return nil
	})
	if rel.IsZero() {
		return view, err
	}
	defer s.queued(id)
	if err != nil {
		return CaseView{}, err
	}
	// The approval stands, whether the page that gave it stays open or not.
	ctx = context.WithoutCancel(ctx)
	if err := s.disclose(ctx, view.Case, rel, p, signature); err != nil {
		return CaseView{}, errors.Join(err, s.unrelease(ctx, id, err))
	}
	return s.Case(ctx, a, id)
}

func (s *Service) refuse(ctx context.Context, a Actor, id incident.CaseID, v Verdict) (CaseView, error) {
	x := incident.Assessment{
		Assessor: a.Session.Person.Clone(), At: s.o.Clock.Now().UTC(), Decision: v.Decision, Reasons: v.Reasons,
		SawSheet: v.Sheet, Copy: v.Copy, Guideline: v.Guideline, SawFlagged: v.SawFlagged,
	}
	return s.change(ctx, a, id, v.Version, "case.refuse", v.Reasons, func(c *incident.Case) error {
		if err := decide(c, v, x); err != nil {
			return err
		}
		return s.move(c, a, incident.ActRefuse)
	})
}

// signed returns what v's ceremony was prepared for and its signature, where
// that holds and v is as it was then.
func (s *Service) signed(ctx context.Context, a Actor, v Verdict) (pendingApproval, passkey.Assertion, error) {
	if v.Ceremony == "" || len(v.Response) == 0 {
		return pendingApproval{}, passkey.Assertion{}, errSignature
	}
	p, ok := s.approvals.take(v.Ceremony, s.o.Clock.Now())
	if !ok || p.session != a.Session.ID() {
		return p, passkey.Assertion{}, errApproval
	}
	if !reflect.DeepEqual(p.person, a.Session.Person.Clone()) || !sameVerdict(p.verdict, v) {
		return p, passkey.Assertion{}, errApproval
	}
	signature, err := passkey.ParseAssertion(v.Response)
	if err != nil {
		return p, signature, errSignature.With(err)
	}
	if !bytes.Equal(signature.Credential, p.key.ID) {
		return p, signature, errSignature
	}
	k, err := s.o.Accounts.Assert(ctx, a.Session.Person.ID, p.approval.Challenge, signature)
	if err != nil {
		return p, signature, errSignature.With(err)
	}
	if k.Confirmed == nil || !bytes.Equal(k.Key.Public, p.key.Public) {
		return p, signature, errNoKey
	}
	return p, signature, nil
}

// sameVerdict reports whether a and b say the same of the same.
func sameVerdict(a, b Verdict) bool {
	for _, v := range []*Verdict{&a, &b} {
		v.Version, v.Key, v.Ceremony, v.Response = 0, "", "", nil
	}
	return reflect.DeepEqual(a, b)
}

// sameRelease reports whether now is the release that was signed for. The time
// differs; the day must not, or another day's report would do (V4).
func sameRelease(now, then policy.Release) bool {
	return now.Case() == then.Case() && now.Member() == then.Member() && now.Clip() == then.Clip() && now.Copy() == then.Copy() &&
		now.Proof() == then.Proof() && now.Sheet() == then.Sheet() && now.Offence() == then.Offence() &&
		reflect.DeepEqual(now.Shows(), then.Shows()) && reflect.DeepEqual(now.Circle(), then.Circle()) &&
		now.ReportDue().Equal(then.ReportDue()) && clock.EndOfDay(now.At()).Equal(clock.EndOfDay(then.At())) && !now.At().Before(then.At())
}

// approvalKey returns the passkey that a signs with: the one asked for, or the
// one used last of those that the operator has confirmed.
func (s *Service) approvalKey(ctx context.Context, a Actor, want string) (passkey.Key, error) {
	keys, err := s.approvalKeys(ctx, a.Session.Person.ID)
	if err != nil {
		return passkey.Key{}, err
	}
	i := slices.IndexFunc(keys, func(k account.Passkey) bool { return want == "" || k.ID == want })
	if i < 0 {
		return passkey.Key{}, errNoKey
	}
	return keys[i].Key, nil
}

// opinionContext separates what is signed here from an approval that releases.
const opinionContext = "veilbox opinion 1\x00"

// opinion is what a first assessor signs where another one's competences are
// needed beside it: nothing leaves the box by it.
func opinion(c incident.Case, x incident.Assessment, key passkey.Key) (Approval, error) {
	x.Signed = nil
	b, err := json.Marshal(struct {
		Version    int                 `json:"version"`
		Case       incident.CaseID     `json:"case"`
		Clip       string              `json:"clip"`
		Proof      string              `json:"proof"`
		Circle     incident.Circle     `json:"circle"`
		Assessment incident.Assessment `json:"assessment"`
		Key        []byte              `json:"key"`
	}{1, c.ID, c.Clip.Hash.String(), c.Copy.Proof.String(), c.Evidence.Circle, x, key.ID})
	if err != nil {
		return Approval{}, fmt.Errorf("casework: %w", err)
	}
	sum := sha256.Sum256(append([]byte(opinionContext), b...))
	return Approval{Statement: b, Challenge: sum[:]}, nil
}

func alertOf(c incident.Case) AlertText {
	return AlertText{What: c.What, Offence: c.Evidence.Offence, ValueDKK: c.Evidence.ValueDKK, When: c.HappenedAt}
}

func (s *Service) disclose(ctx context.Context, c incident.Case, rel policy.Release, p pendingApproval, signature passkey.Assertion) error {
	r, err := s.copyRecord(ctx, c.ID)
	if err != nil {
		return err
	}
	cp, err := redact.Reopen(r, s.copyFiles(c.ID))
	if err != nil {
		return errCopyDamaged.With(err)
	}
	if err := s.o.Uplink.Disclose(ctx, p.disclosure, rel, cp, p.approval, signature); err != nil {
		return fmt.Errorf("casework: the copy was not queued: %w", err)
	}
	return nil
}
