# The operator's interface: each target is an alias of one verb of scripts/holdfast, and its variables are that verb's options.
.DEFAULT_GOAL := help
HOLDFAST := @scripts/holdfast
export ENV ARCH CACHE SIZE VARS SERVICE ONLY TESTS N SINCE FOLLOW ALLOW_DESTROY PLAN_ALL BUILD SMOKE CANARY CANARY_MINUTES TO QUEUE RATE TABLE USERS SOCKETS \
	PUSHES WITHIN WRITE SAFE IMPLEMENTATION HOLDFAST_REHEARSAL HOLDFAST_PORT HOLDFAST_REDIS_PORT HOLDFAST_WORK_DIR HOLDFAST_TOOLS CHROMIUM

.PHONY: help doctor demo deploy plan smoke destroy outputs status logs soak rollback bootstrap build drift redrive epochs cost scale \
	check test scan permissions verify prove conform bench rehearse arm64 reproduce tools

help: ## list the targets
	@printf 'Holdfast: user sessions and push for serverless platforms\n\n'
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'
	@printf '\nTargets of a deployment take ENV=local (the default), staging or production. More variables:\n'
	@printf '  ARCH=arm64|x86_64  CACHE=redis|dynamodb  SERVICE=<stack>  VARS="name=value …"\n'
	@printf '  HOLDFAST_PORT=4566  HOLDFAST_REDIS_PORT=6379  HOLDFAST_WORK_DIR=.local\n'
	@printf '\nThe same targets as verbs with options: scripts/holdfast --help\n'

doctor: ## list everything that is missing or wrong on this machine, each with the next step
	$(HOLDFAST) doctor
deploy: ## build, deploy and start everything (ENV=local: on this machine)
	$(HOLDFAST) deploy
plan: ## show the changes that a deploy would make
	$(HOLDFAST) plan
smoke: ## run the smoke test: the whole path once
	$(HOLDFAST) smoke
soak: ## run the smoke test N=50 times
	$(HOLDFAST) soak
status: ## show processes, release, health, queue lengths, and the nodes of the cache
	$(HOLDFAST) status
outputs: ## print addresses and names as JSON
	$(HOLDFAST) outputs
demo: ## serve a demo page: send live messages, cut the network, end sessions
	$(HOLDFAST) demo
logs: ## print the functions' logs (SERVICE=auth-login SINCE=10m FOLLOW=1)
	$(HOLDFAST) logs
rollback: ## return to the release before the current one (TO=<release> for another)
	$(HOLDFAST) rollback
redrive: ## send dead letters back to their queues (QUEUE=push|broadcast|close RATE=10 a second)
	$(HOLDFAST) redrive
epochs: ## give every channel a new epoch, after a restore of the connections table (TABLE=<name>)
	$(HOLDFAST) epochs
destroy: ## remove all resources that a deploy created; refused for production
	$(HOLDFAST) destroy
bootstrap: ## create the buckets and roles of an AWS environment, once
	$(HOLDFAST) bootstrap
build: ## build a release without a deploy (BUILD=0 make deploy deploys it)
	$(HOLDFAST) build
drift: ## compare the deployed resources with their release (ENV=staging|production)
	$(HOLDFAST) drift
cost: ## estimate the cost of a month on AWS (USERS= SOCKETS= PUSHES= CACHE=)
	$(HOLDFAST) cost
scale: ## compute the AWS quotas for a number of sockets (SOCKETS=1000000 WITHIN=60 seconds for a broadcast; WRITE=1 writes docs/scale.md and docs/costs.md)
	$(HOLDFAST) scale
check: ## run the fast checks: format, lint, types, text, unit tests
	$(HOLDFAST) check
test: ## run every test that one machine can run (ONLY=static|unit|terraform|mistakes|e2e)
	$(HOLDFAST) test
scan: ## run checkov over the Terraform, and compare with the register of exceptions (WRITE=1 writes it)
	$(HOLDFAST) scan
permissions: ## test the permissions of every function's role (WRITE=1 writes the table and the diagram)
	$(HOLDFAST) permissions
verify: ## run the acceptance suite against a deployment, and print a table (ONLY=cors,socket-idle,…; SAFE=1 creates and changes nothing)
	$(HOLDFAST) verify
prove: ## run the full-size correctness proofs, and print a table (ONLY=model,storms,… SIZE=small; ONLY=mutants SERVICE=<crate>)
	$(HOLDFAST) prove
conform: ## compare with AWS: requests, answers of DynamoDB, a second implementation (ONLY=requests,probes,suites IMPLEMENTATION=local|dynoxide)
	$(HOLDFAST) conform
bench: ## run the benchmarks, and write target/bench/report.md (ONLY=<benchmark>)
	$(HOLDFAST) bench
rehearse: ## simulate the life of a staging environment on the local cloud
	$(HOLDFAST) rehearse
arm64: ## build the release for arm64 twice, compare it, and run one function (SERVICE=<stack> ONLY=<function>)
	$(HOLDFAST) arm64
reproduce: ## build the release twice and compare every artifact (SERVICE=<stack> ONLY=<function>)
	$(HOLDFAST) reproduce
tools: ## install the pinned tools into .tools/
	$(HOLDFAST) tools
