# Everything that a person types. Each target brings what it lacks.

MEYDAN := target/release/meydan
WEB_SOURCES := $(shell find web/src web/package.json web/package-lock.json web/build.mjs web/templates -type f 2>/dev/null)

.PHONY: help up demo test screens lighthouse attack bench bench-peers faults scan runtime web build sqlx clean-data

help: ## lists these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

up: runtime web build ## runs the platform on this machine; Ctrl-C stops it
	@exec $(MEYDAN) up

demo: runtime web build ## the same, with a lively campaign to look at
	@exec $(MEYDAN) up --demo

runtime: ## fetches PostgreSQL and NATS into .meydan/runtime
	@scripts/fetch-runtime

web: web/dist/manifest.json ## builds styles, scripts, fonts and icons

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	@scripts/need node npm
	@printf 'meydan: fetching front-end packages from npm\n' >&2
	@cd web && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

web/dist/manifest.json: web/node_modules/.package-lock.json $(WEB_SOURCES)
	@printf 'meydan: building styles and scripts\n' >&2
	@cd web && node build.mjs
	@touch $@

build: web ## compiles the program
	@scripts/need cc
	@cargo build --release --package meydan

test: runtime web ## everything that has to hold before a change lands
	@scripts/need cc oathtool openssl
	@scripts/test

screens: runtime web ## makes the pictures of docs/screens anew
	@SCREENS=docs/screens e2e/run

lighthouse: runtime web ## how good Lighthouse finds the pages; RUNS=3 takes the middle of three runs
	@scripts/need node npm chromium oathtool
	@cargo build --quiet --package meydan
	@e2e/packages
	@node e2e/lighthouse.mjs $(or $(RUNS),1)

bench: runtime web build ## how fast, beside the bare limit of this machine
	@scripts/need oathtool
	@scripts/bench

faults: runtime ## real servers killed, stopped, full and restored under load; ONLY=stream-lost plays one
	@scripts/need cc
	@cargo run --release --quiet --package faults -- simulate
	@cargo run --release --quiet --package faults -- play $(if $(ONLY),--only $(ONLY)) $(if $(SEED),--seed $(SEED)) $(if $(PARTIAL),--partial)

attack: runtime web build ## guesses, floods and questions by the front door; ONLY=flood plays one
	@scripts/need cc oathtool
	@scripts/attack $(if $(ONLY),--only $(ONLY))

scan: runtime web build ## Wapiti and sqlmap through the panel, as an admin and as a member
	@scripts/need cc oathtool
	@scripts/scan

bench-peers: runtime ## the event log beside its peers, which are installed for it
	@scripts/bench-peers

sqlx: runtime ## writes the offline data of all queries anew
	@cargo xtask sqlx

clean-data: ## removes data, keys and logs of the local platform
	@scripts/clean-data
