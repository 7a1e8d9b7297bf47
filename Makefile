# What people do here. `make` alone lists it.

CARGO ?= cargo
TEST := $(CARGO) test --quiet --no-fail-fast --lib --bins --tests
ifeq ($(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes),yes)
TEST := $(CARGO) nextest run --no-fail-fast --status-level fail --final-status-level fail --show-progress none
endif

# With it the checked SQL would be checked against that database, whatever is in it, and not against the cache.
unexport DATABASE_URL

.PHONY: help demo test fmt prepare docs bench trial

help: ## lists these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## shows everything at work: a database, the daemon, a pretend WeCom
	@scripts/setup >/dev/null
	@echo "Building wecomd and starting its demo; the first build takes a few minutes."
	@$(CARGO) build --release --quiet --bins
	@$(CARGO) run --release --quiet -- demo

test: ## checks format, lints, the query cache, all tests, the API, deploy/nginx.conf and the documents
	@scripts/step "setup" scripts/setup
	@scripts/step "format" $(CARGO) fmt --all --check
	@scripts/step "lints" $(CARGO) clippy --workspace --all-targets --quiet -- -D warnings
	@scripts/step "query cache" scripts/prepare --check
	@scripts/step "tests" scripts/with-postgres $(TEST)
	@scripts/step "examples in comments" $(CARGO) test --doc --quiet
	@scripts/step "api" env WECOMD_TEST_PROGRAM=$${CARGO_TARGET_DIR:-target}/debug/wecomd scripts/check-api
	@scripts/step "nginx" scripts/check-nginx
	@scripts/step "documents" env WECOMD_TEST_PROGRAM=$${CARGO_TARGET_DIR:-target}/debug/wecomd scripts/check-docs

fmt: ## formats the sources
	@$(CARGO) fmt --all

prepare: ## refreshes the query cache after a change of SQL; commit migrations/.sqlx
	@scripts/prepare

docs: ## regenerates docs/reference after a change of settings, routes, metrics, commands or tables; commit it
	@$(CARGO) build --quiet --bin wecomd
	@scripts/with-postgres sh -c 'DATABASE_URL=$$WECOMD_TEST_DATABASE_URL exec "$${CARGO_TARGET_DIR:-target}"/debug/wecomd docs docs/reference'

bench: ## measures opening, accepting, recording and reporting, also beside other receivers
	@scripts/with-postgres $(CARGO) bench

trial: ## runs what is too long for the tests: ten minutes without a database, ten million deliveries
	@CARGO="$(CARGO)" scripts/trial
