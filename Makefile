# make            this list
# make demo       camera, two shops and the extranet on this machine
# make build      the programs, in bin/

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

# Go's own installer puts it here without telling a shell that is already open.
export PATH := $(PATH):/usr/local/go/bin
# The system's Go is the one that is used: no other is fetched in the background.
export GOTOOLCHAIN := local
# Two at a time: each test may run ffmpeg and a browser beside itself.
PARALLEL := -p 2

VERSION = $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS = -X veilbox/internal/version.Version=$(VERSION) -X main.version=$(VERSION)
# No VCS stamp: git refuses a clone that another user owns, and VERSION says it.
GOBUILD = go build $(PARALLEL) -buildvcs=false -trimpath -ldflags '$(LDFLAGS)'
CHECK ?=
BENCH ?=
FUZZTIME ?= 1m
TESTFLAGS ?=

.PHONY: help
help:
	@echo 'Veilbox'
	@echo
	@echo '  make demo            bring up a camera, two boxes and the extranet, and print where'
	@echo '  make demo CHECK=1    the same without a person: walk the whole way, exit 0 if all held'
	@echo '  make build           build the programs into bin/'
	@echo '  make test            every test: unit, fuzz seeds, end to end, browser'
	@echo '  make setup           install all that the tests need; the others do it by themselves'
	@echo '  make lint            gofmt, vet, staticcheck, import rules, known vulnerabilities'
	@echo '  make fuzz            every fuzz target for FUZZTIME (1m); FUZZ=name chooses'
	@echo '  make bench           measured figures, one a line; BENCH=capture,ring chooses groups'
	@echo '  make bench-redact    how well subjects are followed, against hand-made truth'
	@echo '  make clean           take bin/ away'
	@echo
	@echo 'On Debian 12 or 13 each installs what it lacks, as root or by sudo. Go must be there.'

.PHONY: build
build:
	@scripts/setup.sh build
	@mkdir -p bin
	@$(GOBUILD) -o bin/ ./cmd/veilboxd ./cmd/veil-extranet ./cmd/veilctl
	@CGO_ENABLED=0 $(GOBUILD) -o bin/ ./cmd/veil-redact
	@CGO_ENABLED=1 $(GOBUILD) -tags opencv -o bin/ ./cmd/veil-detect

.PHONY: setup
setup:
	@scripts/setup.sh test
	@scripts/axe.sh >/dev/null

.PHONY: demo
demo:
	@scripts/setup.sh run
	@$(MAKE) --no-print-directory build
	@go run -trimpath -buildvcs=false ./test/demo $(if $(filter-out 0,$(CHECK)),-check)

.PHONY: test
test:
	@scripts/setup.sh test
	@scripts/axe.sh >/dev/null
	go test $(PARALLEL) -count=1 -timeout 20m $(TESTFLAGS) ./...

.PHONY: fuzz
fuzz:
	@scripts/setup.sh test
	@FUZZTIME='$(FUZZTIME)' FUZZ='$(FUZZ)' scripts/fuzz.sh

# Standard output is figures alone.
.PHONY: bench
bench:
	@scripts/setup.sh bench >&2
	@$(MAKE) --no-print-directory build >&2
	@go run -trimpath -buildvcs=false ./test/bench $(if $(BENCH),-only '$(BENCH)')

# How well subjects are followed, against truth that was marked by hand.
.PHONY: bench-redact
bench-redact:
	@scripts/setup.sh bench >&2
	@$(MAKE) --no-print-directory build >&2
	@go run -trimpath -buildvcs=false ./test/benchredact

.PHONY: lint
lint:
	@scripts/setup.sh build
	@scripts/lint.sh

.PHONY: clean
clean:
	@rm -rf bin
