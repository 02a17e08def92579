package web

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/casefile"
	"veilbox/appliance/casework"
	"veilbox/appliance/store"
	"veilbox/internal/problem"
	"veilbox/redact"
)

// described are the Go types that the API's description names.
var described = map[string]reflect.Type{
	"Session": reflect.TypeFor[sessionView](), "Login": reflect.TypeFor[loginBody](), "Password": reflect.TypeFor[passwordBody](),
	"Ceremony": reflect.TypeFor[account.Ceremony](), "Signed": reflect.TypeFor[signedBody](), "Passkey": reflect.TypeFor[casework.PasskeyView](), "TOTP": reflect.TypeFor[account.TOTP](), "Secret": reflect.TypeFor[secretBody](),
	"OwnAccount": reflect.TypeFor[casework.AccountView](), "ReviewItem": reflect.TypeFor[casework.ReviewView](), "Review": reflect.TypeFor[reviewBody](), "Acceptance": reflect.TypeFor[store.Acceptance](),
	"Conditions": reflect.TypeFor[conditionsView](), "Accept": reflect.TypeFor[acceptBody](), "Code": reflect.TypeFor[codeBody](),
	"Reason": reflect.TypeFor[reasonBody](), "Purpose": reflect.TypeFor[purposeBody](), "Version": reflect.TypeFor[versionBody](),
	"NewPerson": reflect.TypeFor[casework.NewPerson](), "PersonChange": reflect.TypeFor[casework.PersonChange](), "Person": reflect.TypeFor[casework.PersonView](),
	"NewCamera": reflect.TypeFor[casework.NewCamera](), "CameraDescription": reflect.TypeFor[casework.CameraDescription](), "Camera": reflect.TypeFor[casework.CameraView](),
	"CameraChange": reflect.TypeFor[casework.CameraChange](), "CameraLook": reflect.TypeFor[casework.CameraLook](), "CameraFound": reflect.TypeFor[casework.CameraFound](),
	"NewExport": reflect.TypeFor[casework.NewExport](), "Export": reflect.TypeFor[casework.ExportView](), "Hold": reflect.TypeFor[casework.HoldView](), "HoldChange": reflect.TypeFor[casework.HoldChange](),
	"Timeline": reflect.TypeFor[casework.Timeline](), "NewCase": reflect.TypeFor[casework.NewCase](), "Case": reflect.TypeFor[casework.CaseView](),
	"Change": reflect.TypeFor[casework.Change](), "SubjectChange": reflect.TypeFor[casework.SubjectChange](), "Progress": reflect.TypeFor[casework.Progress](),
	"Sheet": reflect.TypeFor[casework.SheetView](), "Verdict": reflect.TypeFor[casework.Verdict](), "PoliceReport": reflect.TypeFor[casework.PoliceReport](),
	"Alert": reflect.TypeFor[casework.Alert](), "Viewing": reflect.TypeFor[casework.Viewing](), "Member": reflect.TypeFor[casework.Member](),
	"Enrolment": reflect.TypeFor[casework.Enrolment](), "AuditEntry": reflect.TypeFor[audit.Entry](), "AuditReport": reflect.TypeFor[audit.Report](),
	"Marking": reflect.TypeFor[casework.MarkingView](), "Followed": reflect.TypeFor[casework.Followed](), "Shapes": reflect.TypeFor[casework.ShapesView](),
	"PersonFound": reflect.TypeFor[redact.Person](), "SoundChange": reflect.TypeFor[casework.SoundChange](), "VeiledChange": reflect.TypeFor[casework.VeiledChange](),
	"Approval": reflect.TypeFor[casework.ApprovalView](), "Suggestions": reflect.TypeFor[casework.Suggestions](), "Circle": reflect.TypeFor[circleBody](), "CircleCount": reflect.TypeFor[casework.CircleCount](),
	"DocumentRemoval": reflect.TypeFor[casework.DocumentRemoval](), "NewFact": reflect.TypeFor[casework.NewFact](), "Reassess": reflect.TypeFor[casework.Reassess](), "Narrow": reflect.TypeFor[casework.Narrow](),
	"NewInformed": reflect.TypeFor[casework.NewInformed](), "Handout": reflect.TypeFor[casework.Handout](), "Holdings": reflect.TypeFor[casework.Holdings](), "FindQuery": reflect.TypeFor[casework.FindQuery](), "Found": reflect.TypeFor[casework.FindResult](),
	"Words": reflect.TypeFor[wordsBody](), "CaseFile": reflect.TypeFor[casefile.File](),
	"Check": reflect.TypeFor[casework.Check](), "Health": reflect.TypeFor[healthzView](), "Text": reflect.TypeFor[problem.Text](),
}

// schemaOf says how encoding/json writes t, as a JSON Schema.
func schemaOf(t reflect.Type) map[string]any {
	if t == reflect.TypeFor[time.Time]() {
		return map[string]any{"type": "string", "format": "date-time"}
	}
	if m := reflect.TypeFor[interface{ MarshalText() ([]byte, error) }](); t.Implements(m) {
		return map[string]any{"type": "string"}
	}
	if t == reflect.TypeFor[tlog.Hash]() {
		return map[string]any{"type": "string", "contentEncoding": "base64"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem())
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Float64, reflect.Float32:
		return map[string]any{"type": "number"}
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint64, reflect.Uint32:
		return map[string]any{"type": "integer"}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return map[string]any{"type": []any{"string", "null"}, "contentEncoding": "base64"}
		}
		return map[string]any{"type": []any{"array", "null"}, "items": schemaOf(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": []any{"object", "null"}, "additionalProperties": schemaOf(t.Elem())}
	case reflect.Struct:
		props, required := map[string]any{}, []any{}
		fieldsOf(t, props, &required)
		return map[string]any{"type": "object", "properties": props, "required": required}
	}
	panic("no schema for " + t.String())
}

func fieldsOf(t reflect.Type, props map[string]any, required *[]any) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported():
			continue
		case f.Anonymous && name == "":
			fieldsOf(f.Type, props, required)
			continue
		case name == "":
			name = f.Name
		}
		props[name] = schemaOf(f.Type)
		if !strings.Contains(opts, "omit") {
			*required = append(*required, name)
		}
	}
}

type description struct {
	OpenAPI    string                               `json:"openapi"`
	Paths      map[string]map[string]map[string]any `json:"paths"`
	Components struct {
		Schemas map[string]map[string]any `json:"schemas"`
	} `json:"components"`
}

func readDescription(t *testing.T) description {
	t.Helper()
	var d description
	if err := json.Unmarshal(openAPI, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

var update = flag.Bool("update", false, "write the schemas of the API's description anew from the Go types")

// TestUpdate writes the schemas, where it is asked to.
func TestUpdate(t *testing.T) {
	if !*update {
		return
	}
	head, _, found := strings.Cut(string(openAPI), "  \"schemas\": {\n")
	_, tail, ends := strings.Cut(string(openAPI), "\n  },\n  \"securitySchemes\"")
	if !found || !ends {
		t.Fatal("the description has no schemas in front of its securitySchemes")
	}
	var lines []string
	old := readDescription(t).Components.Schemas
	for _, name := range slices.Sorted(maps.Keys(described)) {
		schema := schemaOf(described[name])
		if d := old[name]["description"]; d != nil {
			schema["description"] = d
		}
		b, err := json.Marshal(schema)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("   %q: %s", name, b))
	}
	b, err := json.Marshal(old["Problem"])
	if err != nil {
		t.Fatal(err)
	}
	lines = append(lines, "   \"Problem\": "+string(b))
	slices.Sort(lines)
	text := head + "  \"schemas\": {\n" + strings.Join(lines, ",\n") + "\n  },\n  \"securitySchemes\"" + tail
	if err := os.WriteFile("openapi.json", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// inDescription is a route's path as the description writes it.
func inDescription(path string) string { return strings.Replace(path, "/{picture}", "/{n}.jpg", 1) }

func TestDescriptionHasEachRouteAndNoOther(t *testing.T) {
	d := readDescription(t)
	if !strings.HasPrefix(d.OpenAPI, "3.1") {
		t.Errorf("OpenAPI version %q", d.OpenAPI)
	}
	routes := map[string]bool{}
	for _, rt := range newTestServer(t).apiRoutes() {
		path, method := inDescription(rt.path), strings.ToLower(rt.method)
		routes[method+" "+path] = true
		op, found := d.Paths[path][method]
		if !found {
			t.Errorf("%s %s is served and not described", rt.method, path)
			continue
		}
		if op["summary"] == nil || op["responses"] == nil || op["operationId"] == nil {
			t.Errorf("%s %s needs operationId, summary and responses", rt.method, path)
		}
	}
	for path, ops := range d.Paths {
		for method := range ops {
			if path != "/healthz" && !routes[method+" "+path] {
				t.Errorf("%s %s is described and not served", method, path)
			}
		}
	}
}

func TestDescriptionHoldsTheGoTypes(t *testing.T) {
	d := readDescription(t)
	for name, typ := range described {
		b, err := json.Marshal(schemaOf(typ))
		if err != nil {
			t.Fatal(err)
		}
		var want map[string]any
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		got := d.Components.Schemas[name]
		delete(got, "description")
		if !reflect.DeepEqual(got, want) {
			gotJSON, _ := json.Marshal(got) // it came from JSON
			t.Errorf("schema %s is not what %v gives:\n got %s\nwant %s", name, typ, gotJSON, b)
		}
	}
}

func TestDescriptionRefersToWhatItHas(t *testing.T) {
	d := readDescription(t)
	for _, piece := range strings.Split(string(openAPI), `"#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(piece, `"`)
		if _, found := d.Components.Schemas[name]; !found {
			t.Errorf("schema %s is referred to and missing", name)
		}
	}
	names := []string{}
	for name := range d.Components.Schemas {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if described[name] == nil && name != "Problem" {
			t.Errorf("schema %s has no Go type in the test", name)
		}
	}
}
