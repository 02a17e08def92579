package logging

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestNew(t *testing.T) {
	var b bytes.Buffer
	log := New(&b, "warn", "json")
	log.Info("quiet")
	log.Warn("loud", "camera", "till-1")
	var line map[string]any
	if err := json.Unmarshal(b.Bytes(), &line); err != nil || line["msg"] != "loud" || line["camera"] != "till-1" {
		t.Fatalf("%s: %v", b.Bytes(), err)
	}
	b.Reset()
	log = New(&b, "nonsense", "text")
	log.Debug("no")
	log.Info("yes")
	if s := b.String(); strings.Contains(s, "msg=no") || !strings.Contains(s, "msg=yes") {
		t.Errorf("log: %s", s)
	}
}
