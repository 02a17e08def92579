#!/usr/bin/env bash
# gofmt, vet, staticcheck, the import rules, govulncheck. Called by make lint.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.7.0
govulncheck=golang.org/x/vuln/cmd/govulncheck@v1.2.0

failed=0
step() { echo "lint: $1" >&2; }
bad() {
    echo "lint: $1" >&2
    failed=1
}

step gofmt
unformatted=$(gofmt -l .)
if [ -n "$unformatted" ]; then
    echo "$unformatted" >&2
    bad "gofmt: run gofmt -w on the files above"
fi

step vet
go vet ./... || bad "go vet found something"

step staticcheck
go run "$staticcheck" ./... || bad "staticcheck found something"

step "import rules"
go test -count=1 ./internal/archtest || bad "the import rules do not hold"

step govulncheck
out=$(mktemp)
trap 'rm -f "$out"' EXIT
# Exit status 3 is a finding; anything else that is not 0 is that it could not
# run. Its database may be out of reach, which must not stop an offline machine;
# it is said plainly, so that nobody takes it for a pass.
status=0
timeout 300 go run "$govulncheck" ./... >"$out" 2>&1 || status=$?
if [ "$status" -eq 0 ]; then
    tail -n 1 "$out" >&2
elif grep -q 'Vulnerability #' "$out"; then
    cat "$out" >&2
    bad "govulncheck found a vulnerability that the programs reach"
elif grep -qE 'vuln\.go\.dev|fetching vulnerabilities|dial tcp|no such host|timeout|i/o timeout|Forbidden|proxy' "$out" || [ "$status" -eq 124 ]; then
    echo "lint: govulncheck: NOT CHECKED, its database cannot be reached from here:" >&2
    tail -n 3 "$out" >&2
else
    cat "$out" >&2
    bad "govulncheck could not run"
fi

exit "$failed"
