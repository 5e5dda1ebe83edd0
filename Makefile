# SPDX-License-Identifier: Apache-2.0
# Copyright The skywatch Authors
#
# make run      builds skywatch and starts it on example.yml
# make test     passes every test; installs the Debian packages it needs
# make help     lists the rest

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c

GO          ?= go
BIN         := bin/skywatch
WORK        := .work
# From the module cache if it is there, since go would ask the proxy each time whether the version was withdrawn.
staticcheck := GOPROXY="file://$$($(GO) env GOMODCACHE)/cache/download|$$($(GO) env GOPROXY)" $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
TARGETS     := linux/amd64 linux/arm/7 linux/mipsle/softfloat

export CGO_ENABLED ?= 0
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unreleased)
version_pkg := github.com/prometheus/common/version
ldflags     := -s -w -X $(version_pkg).Version=$(VERSION) \
               -X $(version_pkg).Revision=$(shell git rev-parse HEAD 2>/dev/null || echo unknown) \
               -X $(version_pkg).Branch=$(shell git rev-parse --abbrev-ref HEAD 2>/dev/null || echo unknown) \
               -X $(version_pkg).BuildUser=$(or $(USER),unknown)@$(shell hostname) \
               -X $(version_pkg).BuildDate=$(shell git log -1 --format=%cd --date=format:%Y%m%d-%H:%M:%S 2>/dev/null || echo unknown)
build       := $(GO) build -trimpath -ldflags='$(ldflags)'

# Real servers need root; the tests are built as the calling user and run by sudo.
as_root     := $(if $(filter-out 0,$(shell id -u)),-exec "sudo SKYWATCH_BIN=$(CURDIR)/$(BIN) CI=$(CI)")
real        := SKYWATCH_BIN=$(CURDIR)/$(BIN) $(GO) test -tags=real -count=1 -timeout=30m $(as_root)

.PHONY: run test check bench bench-compare golden build fmt lint generated unit race real crash fuzz soak cross slim clean help setup

run: build ## build and start on example.yml
	./$(BIN) --config.file=example.yml

build: ## bin/skywatch, static
	$(build) -o $(BIN) ./cmd/skywatch

test: ## everything: static checks, unit tests under -race, real servers, crashes, fuzz, cross builds
	@./test/stages.sh "$(MAKE)" setup lint unit real crash cross fuzz

check: lint ## what every commit passes; no server, no root, under 3 minutes
	$(GO) test ./...

lint: generated
	@unformatted=$$(gofmt -l cmd probes collector alerting history internal test); \
	  [ -z "$$unformatted" ] || { echo "gofmt: not formatted, run make fmt:" $$unformatted; exit 1; }
	$(GO) vet -tags=real ./...
	$(staticcheck) -tags=real ./...
	GOARCH=mipsle $(GO) build ./...
	@! command -v shellcheck >/dev/null || shellcheck -x -S warning .ci/run test/*.sh test/peers/*.sh

generated: # files made by go generate must be what it would make now
	@sums() { find . -name '*_gen.go' -exec sha256sum {} + | sort; }; \
	  was=$$(sums); $(GO) generate ./...; \
	  [ "$$was" = "$$(sums)" ] || { echo 'generated files were stale: commit what go generate has made'; exit 1; }

setup: ## the Debian packages and Go modules that make test needs
	@./test/peers/install.sh
	@# All modules are fetched here, where a proxy that is out of breath is asked again: go itself asks once.
	@for pause in 5 20 60 0; do \
	  $(GO) list -deps -test -tags=real ./... >/dev/null && $(staticcheck) -version >/dev/null && exit 0; \
	  sleep $$pause; \
	done; exit 1

unit: race
race: ## unit tests under the race detector
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -timeout=30m ./...

real: build ## mail and store against real servers; needs root or sudo
	$(real) -v -skip '^TestKill' ./test/real

crash: build ## kill -9 of the real binary under load, and 2000 power cuts of the store
	$(real) -v -run '^TestKill' ./test/real
	$(GO) test -count=1 -v -run '^(TestPowerCut|TestBytesAreBoundedAfterEveryCommit)$$' ./history -powercut.images=2000 -bound.names=10000

slim: ## builds without one part each, and the tests of what such a build refuses
	@for name in $$(sed -n 's/^var.*{\(.*\)}/\1/p' probes/known_gen.go | tr -d '",') http3 cel openstack; do echo "building without $$name"; $(GO) build -tags=no$$name ./...; done
	$(GO) test -count=1 -tags=nohttp3,nocel,noopenstack ./probes

cross: slim ## builds for the other machines
	@for t in $(TARGETS); do IFS=/ read -r os arch sub <<<"$$t"; \
	  echo "building $$t"; \
	  GOOS=$$os GOARCH=$$arch GOARM=$${sub:-7} GOMIPS=softfloat $(build) -o $(WORK)/skywatch-$${t//\//-} ./cmd/skywatch; done

fuzz: ## every fuzz target for a short while; FUZZTIME=5m for longer
	@./test/fuzz.sh $(FUZZTIME)

soak: build ## the long forms, before a release
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -count=10 -timeout=2h ./...
	$(GO) test -count=1 -v -run PowerCut ./history -powercut.images=10000
	SKYWATCH_KILLS=200 $(real) -v -timeout=60m -run '^TestKill' ./test/real
	@./test/fuzz.sh 5m

bench-compare: build ## skywatch and blackbox_exporter side by side: processor time, rate, latency, memory; about 3 minutes
	@./test/peers/install.sh blackbox
	$(GO) run ./test/bench $(BENCHFLAGS)

bench: ## benchmarks, in the form benchstat reads
	$(GO) test -run='^$$' -bench=. -benchmem -count=$(or $(COUNT),1) ./...

golden: ## rewrite the golden files from what the code does now
	$(GO) test $$(grep -rl 'internal/probetest"' --include='*_test.go' . | xargs -n1 dirname | sort -u) -update

fmt: ## format the Go code
	gofmt -w cmd probes collector alerting history internal test

clean: ## remove what was built
	rm -rf bin $(WORK)

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1|/p' $(MAKEFILE_LIST) | sort | awk -F'|' '{printf "make %-13s %s\n", $$1, $$2}'
