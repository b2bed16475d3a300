# The operator's interface: each target is an alias of one verb of scripts/holdfast, and its variables are that verb's options.
.DEFAULT_GOAL := help
HOLDFAST := @scripts/holdfast
export ENV ARCH CACHE SIZE VARS SERVICE ONLY TESTS N SINCE FOLLOW ALLOW_DESTROY PLAN_ALL BUILD SMOKE CANARY CANARY_MINUTES TO QUEUE RATE TABLE USERS SOCKETS \
	PUSHES WITHIN WRITE HOLDFAST_REHEARSAL HOLDFAST_PORT HOLDFAST_REDIS_PORT HOLDFAST_WORK_DIR HOLDFAST_TOOLS CHROMIUM

.PHONY: help doctor demo deploy plan smoke destroy outputs status logs soak rollback bootstrap build drift redrive epochs cost scale \
	check test scan permissions prove bench rehearse arm64 reproduce tools

help: ## list the targets
	@printf 'Holdfast: sessions and push without a server\n\n'
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'
	@printf '\nEach takes ENV=local (the default), staging or production where it says something of a deployment. More variables:\n'
	@printf '  ARCH=arm64|x86_64  CACHE=redis|dynamodb  SERVICE=<stack>  VARS="name=value …"\n'
	@printf '  HOLDFAST_PORT=4566  HOLDFAST_REDIS_PORT=6379  HOLDFAST_WORK_DIR=.local\n'
	@printf '\nThe same as verbs with options: scripts/holdfast --help\n'

doctor: ## name everything that is missing or wrong on this machine, each with what to do
	$(HOLDFAST) doctor
deploy: ## build everything and bring it up (ENV=local: on this machine)
	$(HOLDFAST) deploy
plan: ## show what a deploy would change
	$(HOLDFAST) plan
smoke: ## play the whole path once against the deployment
	$(HOLDFAST) smoke
soak: ## play it N=50 times
	$(HOLDFAST) soak
status: ## say what runs, which release, whether it is well, what waits, what the cache is made of
	$(HOLDFAST) status
outputs: ## print addresses and names as JSON
	$(HOLDFAST) outputs
demo: ## a page to try it by hand: messages live, the network cut, sessions ended
	$(HOLDFAST) demo
logs: ## print the functions' logs (SERVICE=auth-login SINCE=10m FOLLOW=1)
	$(HOLDFAST) logs
rollback: ## back to the release before this one (TO=<release> for another)
	$(HOLDFAST) rollback
redrive: ## dead letters back to their queues (QUEUE=push|broadcast|close RATE=10 a second)
	$(HOLDFAST) redrive
epochs: ## new epochs for every channel: after a restore of the connections table, before it serves (TABLE=<name>)
	$(HOLDFAST) epochs
destroy: ## remove everything a deploy made; never production
	$(HOLDFAST) destroy
bootstrap: ## once per AWS environment: its buckets and roles
	$(HOLDFAST) bootstrap
build: ## only build: what BUILD=0 make deploy takes
	$(HOLDFAST) build
drift: ## whether what is deployed still is what its release says (ENV=staging|production)
	$(HOLDFAST) drift
cost: ## what a month costs on AWS (USERS= SOCKETS= PUSHES= CACHE=)
	$(HOLDFAST) cost
scale: ## what so many sockets need of an AWS account (SOCKETS=1000000 WITHIN=60 seconds for a broadcast; WRITE=1 writes docs/scale.md)
	$(HOLDFAST) scale
check: ## the fast gate: format, lint, unit tests
	$(HOLDFAST) check
test: ## everything that can be tested on one machine (ONLY=static|unit|terraform|mistakes|e2e)
	$(HOLDFAST) test
scan: ## checkov over the Terraform, against the register of exceptions (WRITE=1 writes that)
	$(HOLDFAST) scan
permissions: ## try with every function's role what it may and may not do (WRITE=1 writes the table and the diagram)
	$(HOLDFAST) permissions
prove: ## the full-size correctness runs, as a table (ONLY=model,storms,… SIZE=small; ONLY=mutants SERVICE=<crate>)
	$(HOLDFAST) prove
bench: ## benchmarks: figures and plots in target/bench/report.md (ONLY=<benchmark>)
	$(HOLDFAST) bench
rehearse: ## the life of a staging environment, played on the local cloud
	$(HOLDFAST) rehearse
arm64: ## the release for arm64: built twice, compared, one function run (SERVICE=<stack> ONLY=<function>)
	$(HOLDFAST) arm64
reproduce: ## build the release twice and compare every artifact (SERVICE=<stack> ONLY=<function>)
	$(HOLDFAST) reproduce
tools: ## install the pinned tools into .tools/
	$(HOLDFAST) tools
