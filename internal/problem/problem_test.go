package problem

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestWriteAndDecode(t *testing.T) {
	secret := errors.New("secret detail")
	p := New(401, "camera.auth", Text{"Forkert kode.", "Wrong password."}, Text{"Ret den.", "Correct it."}).With(secret)
	rec := httptest.NewRecorder()
	Write(rec, fmt.Errorf("add camera: %w", p))
	if rec.Code != 401 || rec.Header().Get("Content-Type") != "application/problem+json" {
		t.Fatalf("status %d, type %s", rec.Code, rec.Header().Get("Content-Type"))
	}
	if strings.Contains(rec.Body.String(), "secret") {
		t.Errorf("the inner error was sent: %s", rec.Body)
	}
	got := Decode(rec.Code, rec.Body.Bytes())
	if !errors.Is(got, p) || got.Cause != p.Cause || got.Remedy != p.Remedy {
		t.Errorf("decoded %+v, want %+v", got, p)
	}
	if errors.Is(Internal, p) {
		t.Error("problems with different codes are the same")
	}
}

func TestOfUnknownIsInternal(t *testing.T) {
	if p := Of(errors.New("x")); p.Code != "internal" || p.Status != 500 {
		t.Errorf("Of = %+v", p)
	}
	if p := Decode(502, []byte("<html>")); p.Status != 502 || p.Code != "http" {
		t.Errorf("Decode of a page = %+v", p)
	}
}
