# Fill in before the first `make bootstrap ENV=production`; artifacts_bucket is printed by it.
env    = "production"
region = "us-east-1"

# The account this environment lives in: with other credentials nothing is planned or applied, and without it nothing is made.
# allowed_account_ids = ["<12 digits>"]

# artifacts_bucket = "holdfast-production-artifacts-<account id>"

# Origins of the web apps that may call the API with credentials: https:// only.
# allowed_origins = ["https://app.example.com"]

# Who reads and writes state and artifacts is written down in this bucket of the account (make bootstrap).
# access_log_bucket = "<bucket>"

# Pipelines of this repository may look for drift and deploy, from main only.
# github_repository = "<owner>/<name>"
# A repository made, renamed or moved since July 2026 also needs its numbers: gh api repos/<owner>/<name> --jq '.owner.id, .id'
# github_repository_ids = { owner = "<number>", repository = "<number>" }

# Domain names of the APIs. Sessions in cookies need that of the HTTP API, because pages and API must be of the same site.
# http_domain      = { name = "api.example.com", site = "example.com", hosted_zone_id = "<zone>" }
# websocket_domain = { name = "ws.example.com", hosted_zone_id = "<zone>" }
# hosted_zone_ids  = ["<zone>"]
# With mutual TLS: the object that http_domain.mutual_tls names.
# truststore_object_arns = ["arn:aws:s3:::<bucket>/<key>"]

# SNS topics that alarms are sent to.
# alarm_topic_arns = ["arn:aws:sns:us-east-1:<account id>:<topic>"]

log_retention_days = 90

# A new version is shifted by the deploy: CANARY percent of the calls for CANARY_MINUTES, watched by the alarms (docs/deploying.md).
# With "terraform" it gets every call as soon as it is applied.
alias_owner = "deployer"

# Validations through ElastiCache instead of DynamoDB alone, in two deploys: docs/cache-switching.md.
# cache_provider    = "redis"
# redis_delete_only = true

# A user pool's passwords instead of hashes in the sessions table; not together with redis.
# credential_verifier = "cognito"
# cognito_client_id   = "<app client id>"

# CloudFront in front of the HTTP API: the client's address is then the one that CloudFront names, in requests that carry the secret header.
# trusted_proxy        = "cloudfront"
# origin_secret_sha256 = "<SHA-256 of the secret, 64 hexadecimal digits>"

# Executions that no other function can take, and that a flood of sign-ins cannot exceed. The account's quota has to leave 100 unreserved
# (new accounts have 10 in all: ask for more first).
# reserved_concurrency = { sessions-current = 200, auth-refresh = 50, auth-login = 50 }

# Provisioned capacity for tables with a steady load; an existing table is switched first (docs/deploying.md).
# table_capacity = { sessions = { read = { min = 5, max = 2000 }, write = { min = 5, max = 1000 } } }
