# The two commands of the README are run and test; everything else serves them.

VERSION := $(shell git describe --always --dirty 2>/dev/null || echo dev)
GO_BUILD := go build -trimpath -ldflags "-X main.version=$(VERSION)"

ENGINES := engines/node_modules/.installed
CLIENTS := profiles/clients/node_modules/.installed
FLAG_CLIENTS := experiments/clients/node_modules/.installed
PEERS := decide/channels/peers/node_modules/.installed
CONSOLE_PACKAGES := console/node_modules/.installed
CONSOLE := console/dist/index.html
CONSOLE_SOURCES := $(shell find console/src console/public console/index.html console/vite.config.ts console/tsconfig.json -type f 2>/dev/null)

.PHONY: run test build engines clients console api bench fmt vet lint typecheck test-go test-console test-external clean help

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

run: build ## install what is needed, build, and start with a generated shop
	@exec bin/quintet serve --shop $(ARGS)

test: engines test-console test-go ## run every test

build: engines console ## build bin/quintet with the console inside
	@scripts/need go
	@$(GO_BUILD) -o bin/quintet ./cmd/quintet

engines: $(ENGINES) ## install the embedded Postgres and ClickHouse
$(ENGINES): engines/package.json engines/package-lock.json
	@scripts/need node
	@scripts/npm-ci engines "the embedded Postgres and ClickHouse, about 700 MB on disk"
	@scripts/engines-installed
	@touch $@

clients: $(CLIENTS) $(FLAG_CLIENTS) $(PEERS) ## install the clients of others that the tests run
$(CLIENTS): profiles/clients/package.json profiles/clients/package-lock.json
	@scripts/need node
	@scripts/npm-ci profiles/clients "the tracking clients that the tests run, about 45 MB on disk"
	@touch $@

$(FLAG_CLIENTS): experiments/clients/package.json experiments/clients/package-lock.json
	@scripts/need node
	@scripts/npm-ci experiments/clients "the flag clients that the tests run, about 7 MB on disk"
	@touch $@

$(PEERS): decide/channels/peers/package.json decide/channels/peers/package-lock.json
	@scripts/need node
	@scripts/npm-ci decide/channels/peers "the servers that the tests of channels send to, about 12 MB on disk"
	@touch $@

$(CONSOLE_PACKAGES): console/package.json console/package-lock.json
	@scripts/need node
	@scripts/npm-ci console "the console's packages"
	@touch $@

console: $(CONSOLE) ## build the web console
$(CONSOLE): $(CONSOLE_PACKAGES) $(CONSOLE_SOURCES)
	@echo "Building the console …"
	@cd console && npm run --silent build
	@touch $@

api: $(CONSOLE_PACKAGES) ## regenerate the console's API client from the service's OpenAPI description
	@go run ./cmd/quintet openapi --log-level error > console/openapi.json.new && mv console/openapi.json.new console/openapi.json
	@cd console && npm run --silent api

test-go: engines clients console
	@scripts/need go
	@QUINTET_TEST_REQUIRE_ENGINES=1 QUINTET_TEST_BROWSER="$$(scripts/browser)" go test $(TEST_FLAGS) -timeout 15m ./...

test-console: typecheck
	@cd console && npm test --silent

typecheck: $(CONSOLE_PACKAGES) ## check the console's types
	@cd console && npm run --silent typecheck

test-external: build ## run the tests of the engines' users against external servers
	@scripts/test-external

bench: build ## print the speed figures of docs/performance.md
	@bin/quintet bench decide
	@bin/quintet bench ingest

fmt: ## format the Go code
	@gofmt -w $$(git ls-files '*.go')

vet:
	@go vet ./...

LINTER := bin/golangci-lint
$(LINTER): scripts/linter
	@scripts/linter $@

lint: $(LINTER) ## run the linters of .golangci.yml
	@$(LINTER) run ./...

clean: ## remove what was built and installed, but not the data in .quintet
	rm -rf bin console/node_modules engines/node_modules profiles/clients/node_modules experiments/clients/node_modules decide/channels/peers/node_modules
	find console/dist -mindepth 1 ! -name .gitkeep -delete
