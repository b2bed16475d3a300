mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_iam_role" {
    defaults = { id = "role", arn = "arn:aws:iam::123456789012:role/role" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:own" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:f", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/f", version = "1" }
  }
  mock_resource "aws_lambda_alias" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:f:live", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/f:live" }
  }
  mock_resource "aws_apigatewayv2_api" {
    defaults = { id = "http", api_endpoint = "https://http.execute-api.us-east-1.amazonaws.com", execution_arn = "arn:aws:execute-api:us-east-1:123456789012:http" }
  }
}

override_resource {
  target = aws_cloudwatch_event_rule.cache_status
  values = { arn = "arn:aws:events:us-east-1:123456789012:rule/cache-status" }
}

override_resource {
  target = module.sessions_table.aws_dynamodb_table.this
  values = { arn = "arn:aws:dynamodb:us-east-1:123456789012:table/sessions", stream_arn = "arn:aws:dynamodb:us-east-1:123456789012:table/sessions/stream/2026" }
}

override_resource {
  target = module.connections_table.aws_dynamodb_table.this
  values = { arn = "arn:aws:dynamodb:us-east-1:123456789012:table/connections", stream_arn = "arn:aws:dynamodb:us-east-1:123456789012:table/connections/stream/2026" }
}

override_resource {
  target = module.mfa_key.aws_kms_key.this
  values = { arn = "arn:aws:kms:us-east-1:123456789012:key/mfa", key_id = "mfa" }
}

variables {
  env              = "test"
  release_manifest = "tests/release.json"
  artifacts_bucket = "artifacts"
}

run "every_role_gets_the_boundary_of_the_environment" {
  command = apply
  assert {
    condition     = toset(values(module.service.permissions_boundary_arns)) == toset(["arn:aws:iam::123456789012:policy/holdfast-test-boundary"])
    error_message = "A pipeline can make no role without it."
  }
}

run "without_a_bootstrap_there_is_no_boundary" {
  command = apply
  variables { permissions_boundary = false }
  assert {
    condition     = alltrue([for arn in values(module.service.permissions_boundary_arns) : arn == null || arn == ""]) && length(data.aws_iam_policy.boundary) == 0
    error_message = "Locally nobody has made one."
  }
}

run "each_function_gets_its_variables_and_its_role_exactly_what_it_needs" {
  command = apply
  assert {
    condition = toset([for grant in module.service.grants["ops-health"] : grant if !startswith(grant, "logs:") && !startswith(grant, "xray:")]) == toset([
      "dynamodb:GetItem arn:aws:dynamodb:us-east-1:123456789012:table/sessions",
    ])
    error_message = "ops-health must be allowed exactly this."
  }
  assert {
    condition = toset([for grant in module.service.grants["ops-not-found"] : grant if !startswith(grant, "logs:") && !startswith(grant, "xray:")]) == toset([
    ])
    error_message = "ops-not-found must be allowed exactly this."
  }
  assert {
    condition = alltrue([for grants in values(module.service.grants) : toset([for grant in grants : grant if startswith(grant, "logs:") || endswith(grant, " *")]) == toset([
      "logs:CreateLogStream arn:aws:logs:us-east-1:123456789012:log-group:own:*",
      "logs:PutLogEvents arn:aws:logs:us-east-1:123456789012:log-group:own:*",
      "xray:PutTelemetryRecords *",
      "xray:PutTraceSegments *",
    ])])
    error_message = "Each function writes its own log; \"*\" is for X-Ray only."
  }
  assert {
    condition     = toset(keys(module.service.environment["ops-health"])) == toset(["CACHE_PROVIDER", "FUNCTION_KEY", "HOLDFAST_ENV", "HOLDFAST_VERSION", "LOG_LEVEL", "SESSIONS_TABLE"])
    error_message = "ops-health must get exactly these variables."
  }
  assert {
    condition     = toset(keys(module.service.environment["ops-not-found"])) == toset(["FUNCTION_KEY", "HOLDFAST_ENV", "LOG_LEVEL"])
    error_message = "ops-not-found must get exactly these variables."
  }
}

run "the_local_cloud_gets_fixed_addresses_and_its_own_bucket" {
  command = apply
  variables {
    local_endpoint   = "http://127.0.0.1:4566"
    artifacts_bucket = ""
  }
  assert {
    condition     = output.http_url == "http://127.0.0.1:4566/_aws/execute-api/http" && aws_s3_bucket.local_artifacts["this"].bucket == "holdfast-test-artifacts"
    error_message = "Local addresses follow from the endpoint."
  }
  assert {
    condition     = local.api_tags.http.ms-custom-id == substr(sha256("holdfast-test-http"), 0, 8) && local.alias_owner == "none"
    error_message = "The id is fixed by a tag; there is no alias."
  }
  assert {
    condition     = length(module.alarms.alarm_arns) == 0 && alltrue([for dashboard in module.dashboard : dashboard.name == null])
    error_message = "The local cloud evaluates no alarms."
  }
}

run "on_aws_nothing_local_remains" {
  command = apply
  assert {
    condition     = output.http_url == "https://http.execute-api.us-east-1.amazonaws.com" && length(aws_s3_bucket.local_artifacts) == 0 && length(local.api_tags.http) == 0 && local.alias_owner == "terraform"
    error_message = "The API's own address, the release's bucket, the alias."
  }
  assert {
    condition     = { for key, parameter in aws_ssm_parameter.output : key => parameter.value } == merge(local.outputs, { kms-key-arn = "none" }) && aws_ssm_parameter.output["http-url"].name == "/holdfast/test/platform/http-url"
    error_message = "Other stacks read these parameters."
  }
  assert {
    condition     = length(module.alarms.alarm_arns) == 7 && module.dashboard["system"].name == "holdfast-test"
    error_message = "Three alarms for each function, one for the API, one dashboard."
  }
  assert {
    condition     = toset(keys(module.dashboard)) == toset(["system", "platform", "auth", "sessions", "push", "events"]) && module.dashboard["push"].name == "holdfast-test-push"
    error_message = "One for the system, and one for each service."
  }
  assert {
    condition     = strcontains(module.dashboard["push"].body, "holdfast-test-push-fanout") && strcontains(module.dashboard["push"].body, "holdfast-test-broadcast-dlq") && !strcontains(module.dashboard["push"].body, "auth-login")
    error_message = "A service's shows its own functions and queues, and no other's."
  }
  assert {
    condition     = alltrue([for key in keys(local.shown) : strcontains(module.dashboard["system"].body, "holdfast-test-${key}\"")])
    error_message = "The system's shows every function."
  }
}

run "a_key_of_ones_own_is_published" {
  command = apply
  variables { kms_mode = "cmk" }
  override_resource {
    target = module.kms.aws_kms_key.this
    values = { arn = "arn:aws:kms:us-east-1:123456789012:key/k", key_id = "k" }
  }
  assert {
    condition     = aws_ssm_parameter.output["kms-key-arn"].value == "arn:aws:kms:us-east-1:123456789012:key/k" && contains(module.service.grants.ops-health, "kms:Decrypt arn:aws:kms:us-east-1:123456789012:key/k")
    error_message = "Other stacks and the functions must be able to use the key."
  }
}

run "only_the_functions_for_second_factors_can_use_their_key" {
  command = apply
  assert {
    condition     = module.mfa_key.alias_name == "alias/holdfast-test-mfa" && aws_ssm_parameter.output["mfa-key-arn"].value == "arn:aws:kms:us-east-1:123456789012:key/mfa"
    error_message = "The stack auth reads the key's ARN."
  }
  assert {
    condition = jsonencode([for statement in jsondecode(module.mfa_key.key_policy).Statement : statement.Condition if contains(statement.Action, "kms:Decrypt")]) == jsonencode([{
      ArnLike                     = { "aws:PrincipalArn" = [for key in ["auth-mfa-activate", "auth-mfa-disable", "auth-mfa-enroll", "auth-mfa-verify", "auth-reauthenticate"] : "arn:aws:iam::123456789012:role/holdfast-test-${key}"] }
      "ForAllValues:StringEquals" = { "kms:EncryptionContextKeys" = ["userId"] }
      Null                        = { "kms:EncryptionContext:userId" = "false" }
    }])
    error_message = "Exactly these five roles, with the user's id as encryption context and nothing else. The stack auth gives the same five the permission."
  }
}

run "the_local_cloud_compares_sessions_of_the_same_roles_with_the_keys_policy" {
  command = apply
  variables {
    local_endpoint   = "http://127.0.0.1:4566"
    artifacts_bucket = ""
  }
  assert {
    condition = jsonencode([for statement in jsondecode(module.mfa_key.key_policy).Statement : statement.Condition if contains(statement.Action, "kms:Decrypt")]) == jsonencode([{
      ArnLike = { "aws:PrincipalArn" = sort(flatten([for key in ["auth-mfa-activate", "auth-mfa-disable", "auth-mfa-enroll", "auth-mfa-verify", "auth-reauthenticate"] : [
        "arn:aws:iam::123456789012:role/holdfast-test-${key}", "arn:aws:sts::123456789012:assumed-role/holdfast-test-${key}/*",
      ]])) }
      "ForAllValues:StringEquals" = { "kms:EncryptionContextKeys" = ["userId"] }
    }])
    error_message = "The same five roles."
  }
}

run "refuses_wrong_common_values" {
  command = plan
  variables {
    env                 = "Test"
    region              = "mars"
    allowed_account_ids = ["1"]
    name_prefix         = "Upper"
    local_endpoint      = "http://10.0.0.1:4566"
    log_level           = "loud"
    alias_owner         = "both"
    runbooks_url        = "http://wiki/"
  }
  expect_failures = [var.runbooks_url, var.env, var.region, var.allowed_account_ids, var.name_prefix, var.local_endpoint, var.log_level, var.alias_owner]
}

run "refuses_no_artifacts_bucket_on_aws" {
  command = plan
  variables { artifacts_bucket = "" }
  expect_failures = [var.artifacts_bucket]
}

run "refuses_wrong_values" {
  command = plan
  variables {
    cache_provider  = "memory"
    allowed_origins = ["*"]
    kms_mode        = "mine"
  }
  expect_failures = [var.cache_provider, var.allowed_origins, var.kms_mode]
}

run "a_local_redis_is_for_those_that_read_or_delete_the_cache" {
  command = apply
  variables {
    local_endpoint   = "http://127.0.0.1:4566"
    artifacts_bucket = ""
    cache_provider   = "redis"
    local_redis_url  = "redis://127.0.0.1:6379/0"
  }
  assert {
    condition     = module.service.environment.ops-health.REDIS_URL == "redis://127.0.0.1:6379/0" && !contains(keys(module.service.environment.ops-not-found), "REDIS_URL")
    error_message = "Health looks at the cache."
  }
  assert {
    condition = toset([for grant in module.service.grants["ops-cache-status"] : grant if startswith(grant, "elasticache:")]) == toset(flatten([
      for action in ["elasticache:DescribeCacheClusters", "elasticache:DescribeReplicationGroups", "elasticache:DescribeServerlessCaches"] : [
        for resource in ["cluster:holdfast-test*", "replicationgroup:holdfast-test", "serverlesscache:holdfast-test"] :
        "${action} arn:aws:elasticache:us-east-1:123456789012:${resource}"
      ]
    ]))
    error_message = "ops-cache-status reads what ElastiCache says of this cache, and no more."
  }
  assert {
    condition     = aws_cloudwatch_event_rule.cache_status["this"].schedule_expression == "rate(5 minutes)" && aws_lambda_permission.cache_status["this"].source_arn == aws_cloudwatch_event_rule.cache_status["this"].arn
    error_message = "The schedule, and nothing else of EventBridge, calls ops-cache-status."
  }
}

run "without_a_cache_nothing_looks_at_one" {
  command = apply
  assert {
    condition     = !contains(keys(module.service.grants), "ops-cache-status") && length(aws_cloudwatch_event_rule.cache_status) == 0
    error_message = "ops-cache-status is for the cache server."
  }
}

run "refuses_a_redis_elsewhere" {
  command = plan
  variables {
    local_redis_url = "redis://cache.example.com:6379/0"
  }
  expect_failures = [var.local_redis_url]
}
