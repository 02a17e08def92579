package archtest

// A rule says that packages matching From do not depend on packages matching
// Not, other than those matching Except. A pattern is an import path below the
// module ("capture/ring"), with its subpackages where it ends in "/..."; one
// with a dot in its first element is another module's, and a plain word in
// "std:net/http" the standard library's.
type rule struct {
	From   []string
	Spare  []string // packages of From that the rule leaves out
	Not    []string
	Except []string
	Direct bool // only what a package imports itself; else everything it pulls in
	Why    string
}

// leafs are the types that every stage may speak of.
var leafs = []string{"capture/footage", "redact/subject", "internal/..."}

func with(base []string, more ...string) []string {
	return append(append([]string(nil), base...), more...)
}

var rules = []rule{
	{From: []string{"internal/..."}, Not: []string{"..."}, Except: []string{"internal/..."},
		Spare: []string{"internal/deps", "internal/archtest"},
		Why:   "internal packages are the bottom of the house"},
	{From: []string{"capture/footage", "redact/subject"}, Not: []string{"..."}, Except: leafs,
		Why: "leaf types know no stage"},
	{From: []string{"capture/..."}, Not: []string{"..."}, Except: []string{"capture/...", "internal/..."},
		Why: "capture is the first stage and knows no other"},
	{From: []string{"redact/..."}, Not: []string{"..."}, Except: []string{"redact/...", "capture/...", "internal/..."},
		Why: "redact looks upstream only"},
	{From: []string{"appliance/incident"}, Not: []string{"..."}, Except: leafs,
		Why: "the case model is pure"},
	{From: []string{"appliance/policy"}, Not: []string{"..."}, Except: with(leafs, "appliance/incident"),
		Why: "the gate is pure"},
	{From: []string{"appliance/policy", "appliance/incident"}, Not: []string{"std:os", "std:net", "std:database/sql"}, Direct: true,
		Why: "the gate and the case model do no I/O"},
	{From: []string{"appliance/..."}, Spare: []string{"appliance/daemon"}, Not: []string{"uplink/..."}, Except: []string{"uplink/wire"},
		Why: "only the daemon joins the box to the uplink; the others get it through interfaces"},
	{From: []string{"..."}, Spare: []string{"appliance/daemon", "cmd/veilboxd", "test/..."}, Not: []string{"appliance/daemon"},
		Why: "the daemon is the only assembly point"},
	{From: []string{"uplink/wire"}, Not: []string{"..."}, Except: with(leafs, "uplink/wire", "appliance/incident", "appliance/policy"),
		Why: "messages are made of leaf types"},
	{From: []string{"uplink/..."}, Not: []string{"appliance/daemon", "appliance/web", "appliance/casework", "appliance/store", "appliance/account", "appliance/ctl/..."},
		Why: "the uplink is given what it sends; it does not reach into the box"},
	{From: []string{"uplink/extranet/...", "cmd/veil-extranet"}, Not: []string{"capture/...", "redact/...", "uplink/parcel", "uplink/outbox"},
		Except: []string{"capture/footage", "redact/subject"},
		Why:    "the extranet cannot see: it has no code that opens, decodes or seals footage"},
	{From: []string{"appliance/...", "capture/...", "redact/...", "cmd/veilboxd", "cmd/veilctl", "cmd/veil-redact"}, Not: []string{"uplink/extranet/..."},
		Why: "a box has no server code of the extranet"},
	{From: []string{"cmd/veil-redact"}, Not: []string{"appliance/...", "uplink/...", "capture/camera/...", "capture/ring", "capture/live"},
		Why: "the worker sees one clip and nothing of the box"},
	{From: []string{"..."}, Spare: []string{"test/..."}, Not: []string{"test/..."},
		Why: "programs do not rest on the tests' harness"},
	{From: []string{"cmd/..."}, Not: []string{"std:testing", "internal/footagetest"},
		Why: "no program carries test code"},

	// One package owns each large dependency, so that replacing it is one
	// folder's work.
	{From: []string{"..."}, Spare: []string{"capture/camera/...", "internal/deps", "test/..."}, Not: []string{"github.com/bluenviron/gortsplib/..."}, Direct: true,
		Why: "only capture/camera speaks RTSP"},
	{From: []string{"..."}, Spare: []string{"capture/live", "internal/deps", "test/..."}, Not: []string{"github.com/pion/webrtc/..."}, Direct: true,
		Why: "only capture/live speaks WebRTC"},
	{From: []string{"..."}, Spare: []string{"internal/sqlitedb", "internal/deps", "capture/ring", "test/..."}, Not: []string{"github.com/mattn/go-sqlite3"}, Direct: true,
		Why: "SQLite is opened in one way; the ring names its error for a full disk"},
	{From: []string{"..."}, Spare: []string{"redact/sandbox", "internal/deps"}, Not: []string{"github.com/landlock-lsm/...", "github.com/elastic/go-seccomp-bpf/..."}, Direct: true,
		Why: "the sandbox is made in one place"},
	{From: []string{"..."}, Spare: []string{"appliance/config", "internal/deps"}, Not: []string{"github.com/pelletier/go-toml/..."}, Direct: true,
		Why: "settings are read in one place"},
	{From: []string{"..."}, Spare: []string{"uplink/extranet/...", "internal/deps"}, Not: []string{"github.com/tus/..."}, Direct: true,
		Why: "only the extranet receives uploads"},
	{From: []string{"..."}, Spare: []string{"internal/passkey"}, Not: []string{"github.com/go-webauthn/..."}, Direct: true,
		Why: "passkeys are bounded and held to the strict rules in one place"},
}
