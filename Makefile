# The operator's interface. Each target calls one command; what it does is in scripts/operate.
.DEFAULT_GOAL := help
OPERATE := @PYTHONUTF8=1 python3 -B scripts/operate
export ENV CACHE VARS SERVICE ARCH ONLY N SINCE FOLLOW ALLOW_DESTROY BUILD SMOKE TO QUEUE RATE USERS SOCKETS PUSHES HOLDFAST_REHEARSAL HOLDFAST_PORT HOLDFAST_REDIS_PORT HOLDFAST_WORK_DIR HOLDFAST_TOOLS

.PHONY: help deploy plan destroy outputs status logs smoke soak check test tools rollback bootstrap rehearse build drift reproduce redrive cost prove bench

help: ## list the targets
	@printf 'Holdfast: sessions and push without a server\n\n'
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'
	@printf '\nVariables: ENV=local  SERVICE=<stack>  VARS="name=value …"  HOLDFAST_PORT=4566  HOLDFAST_REDIS_PORT=6379\n'

deploy: ## build everything and bring it up (ENV=local: on this machine)
	$(OPERATE) deploy
plan: ## show what a deploy would change
	$(OPERATE) plan
destroy: ## remove everything a deploy made
	$(OPERATE) destroy
outputs: ## print addresses and names as JSON
	$(OPERATE) outputs
status: ## say what runs, on which ports, and whether it is healthy
	$(OPERATE) status
logs: ## print the functions' logs (SERVICE=auth-login SINCE=10m FOLLOW=1)
	$(OPERATE) logs
smoke: ## play the whole path once against the deployment
	$(OPERATE) smoke
soak: ## play it N=50 times
	$(OPERATE) soak
check: ## the fast gate: format, lint, unit tests
	$(OPERATE) check
test: ## everything that can be tested on one machine (ONLY=static|unit|terraform|e2e)
	$(OPERATE) test
tools: ## install the pinned tools into .tools/
	$(OPERATE) tools
prove: ## the full-size correctness runs, as a table (a quarter of an hour)
	$(OPERATE) prove
rollback: ## back to the release before this one (TO=<release> for another)
	$(OPERATE) rollback
bootstrap: ## once per AWS environment: its buckets and roles
	$(OPERATE) bootstrap
build: ## only build: what BUILD=0 make deploy takes
	$(OPERATE) build
drift: ## whether what is deployed still is what its release says (ENV=staging|production)
	$(OPERATE) drift
rehearse: ## the life of a staging environment, played on the local cloud
	$(OPERATE) rehearse
redrive: ## dead letters back to their queues (QUEUE=push|broadcast|close RATE=10 a second)
	$(OPERATE) redrive
reproduce: ## build the release twice and compare every artifact (SERVICE=<stack> for its functions only)
	$(OPERATE) reproduce
cost: ## what a month costs on AWS (USERS= SOCKETS= PUSHES= CACHE=)
	$(OPERATE) cost
bench:
	$(OPERATE) $@
