#!/usr/bin/env bash
# Runs every fuzz target in turn. FUZZTIME is how long each (default 1m); FUZZ is
# a pattern of names. Called by make fuzz.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
fuzztime=${FUZZTIME:-1m}
pattern=${FUZZ:-.}
failed=0
ran=0
while IFS=: read -r file name; do
    [[ $name =~ $pattern ]] || continue
    package=$(dirname "$file")
    echo "fuzz: $package $name ($fuzztime)" >&2
    ran=$((ran + 1))
    go test -run '^$' -fuzz "^$name\$" -fuzztime "$fuzztime" -parallel 2 "$package" || failed=1
done < <(grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed 's/:func /:/' | sort)
if [ "$ran" -eq 0 ]; then
    echo "fuzz: no target is called like $pattern" >&2
    exit 2
fi
exit "$failed"
