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

run "every_variable_reaches_the_functions_that_read_it" {
  command = apply
  variables {
    health_details       = "everyone"
    trusted_proxy        = "cloudfront"
    origin_secret_sha256 = "0000000000000000000000000000000000000000000000000000000000000001"
    log_level            = "debug"
  }
  assert {
    condition = jsonencode(module.service.environment) == jsonencode({
      ops-health = {
        CACHE_PROVIDER       = "dynamodb"
        FUNCTION_KEY         = "ops-health"
        HEALTH_DETAILS       = "everyone"
        HOLDFAST_ENV         = "test"
        HOLDFAST_VERSION     = "test"
        LOG_LEVEL            = "debug"
        ORIGIN_SECRET_SHA256 = "0000000000000000000000000000000000000000000000000000000000000001"
        SESSIONS_TABLE       = "holdfast-test-sessions"
        TRUSTED_PROXY        = "cloudfront"
      }
      ops-not-found = {
        FUNCTION_KEY         = "ops-not-found"
        HOLDFAST_ENV         = "test"
        LOG_LEVEL            = "debug"
        ORIGIN_SECRET_SHA256 = "0000000000000000000000000000000000000000000000000000000000000001"
        TRUSTED_PROXY        = "cloudfront"
      }
    })
    error_message = "Each function gets exactly these variables, with the values that this run gives the stack."
  }
}

run "with_default_settings" {
  command = apply

  # The stack says which routes it has attached.
  assert {
    condition     = aws_ssm_parameter.routes["this"].name == "/holdfast/test/routes/platform" && toset(split(",", aws_ssm_parameter.routes["this"].value)) == toset(["$default", "GET /v1/health", "HEAD /v1/health"])
    error_message = "The stack platform sets limits for these routes."
  }

  # Without a proxy, no function is told of one.
  assert {
    condition     = length(module.service.reserved_concurrency) == 0 && !anytrue([for environment in values(module.service.environment) : can(environment.TRUSTED_PROXY) || can(environment.ORIGIN_SECRET_SHA256)])
    error_message = "The client's address is what API Gateway saw; nothing is reserved."
  }

  # Without origins, no browser may send requests.
  assert {
    condition     = module.http_api.cors == null && module.service.environment.ops-health.HEALTH_DETAILS == "iam"
    error_message = "Nobody is allowed by default, and health tells its details to nobody without IAM."
  }

  # Every role gets the boundary of the environment.
  assert {
    condition     = toset(values(module.service.permissions_boundary_arns)) == toset(["arn:aws:iam::123456789012:policy/holdfast-test-boundary"])
    error_message = "A pipeline can make no role without it."
  }

  # Each role allows exactly what its function needs.
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

  # On AWS nothing local remains.
  assert {
    condition     = output.http_url == "https://http.execute-api.us-east-1.amazonaws.com" && length(aws_s3_bucket.local_artifacts) == 0 && length(module.context.api_tags.http) == 0 && module.context.alias_owner == "terraform"
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

  # Only the functions for second factors can use their key.
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

  # Without a cache nothing looks at one.
  assert {
    condition     = !contains(keys(module.service.grants), "ops-cache-status") && length(aws_cloudwatch_event_rule.cache_status) == 0
    error_message = "ops-cache-status is for the cache server."
  }
}

run "functions_can_have_executions_reserved" {
  command = apply
  variables { reserved_concurrency = { ops-health = 7, events-relay = 3 } }
  assert {
    condition     = module.service.reserved_concurrency == { ops-health = 7 }
    error_message = "Functions of this stack only; the others have none reserved."
  }
}

run "a_paused_function_stays_paused" {
  command = apply
  variables { reserved_concurrency = { ops-health = 0 } }
  assert {
    condition     = module.service.reserved_concurrency == { ops-health = 0 }
    error_message = "A deploy must not end the pause of a restore."
  }
}

run "each_route_that_anybody_may_call_has_its_own_limits" {
  command = apply
  override_data {
    target = data.aws_ssm_parameters_by_path.routes
    values = {
      names  = ["/holdfast/test/routes/auth", "/holdfast/test/routes/platform", "/holdfast/test/routes/sessions"]
      values = ["POST /v1/auth/login,POST /v1/auth/logout,POST /v1/auth/mfa/verify,POST /v1/auth/reauthenticate,POST /v1/auth/refresh,POST /v1/users", "$default,GET /v1/health,HEAD /v1/health", "GET /v1/sessions,GET /v1/sessions/current,POST /v1/sessions,POST /v1/sessions/introspect"]
    }
  }
  variables { account_requests_per_second = 2500 }
  assert {
    condition = module.http_api.throttling == {
      default                        = "1000 a second, burst 500"
      "POST /v1/auth/login"          = "125 a second, burst 125"
      "POST /v1/auth/mfa/verify"     = "125 a second, burst 125"
      "POST /v1/auth/reauthenticate" = "125 a second, burst 125"
      "POST /v1/users"               = "25 a second, burst 25"
      "GET /v1/health"               = "25 a second, burst 25"
      "HEAD /v1/health"              = "25 a second, burst 25"
      "$default"                     = "25 a second, burst 25"
      "GET /v1/sessions/current"     = "1000 a second, burst 500"
      "POST /v1/auth/refresh"        = "1000 a second, burst 500"
      "POST /v1/sessions/introspect" = "1000 a second, burst 500"
    }
    error_message = "Parts of what the account grants; validation and refresh have limits of their own."
  }
  assert {
    condition     = sum(values(local.anonymous_percent)) <= 20
    error_message = "All anonymous routes together leave four fifths of the account's requests to the others."
  }
  assert {
    condition     = length(setsubtract(keys(local.route_throttles), flatten([for entry in values(jsondecode(file(local.catalogue_file))) : try(entry.routes, [])]))) == 0
    error_message = "A limit without a route does nothing: it has been renamed."
  }
}

run "a_route_that_is_not_attached_yet_gets_no_limits" {
  command = apply
  override_data {
    target = data.aws_ssm_parameters_by_path.routes
    values = { names = [], values = [] }
  }
  assert {
    condition     = module.http_api.throttling == { default = "4000 a second, burst 2000" }
    error_message = "API Gateway refuses the limits of a route that does not exist: the first apply of an environment must not name any."
  }
}

run "limits_can_be_set_by_route" {
  command = apply
  override_data {
    target = data.aws_ssm_parameters_by_path.routes
    values = { names = ["/holdfast/test/routes/auth"], values = ["POST /v1/auth/login"] }
  }
  variables {
    http_throttling = { rate_limit = 5000, burst_limit = 2000 }
    route_throttles = { "POST /v1/auth/login" = { rate_limit = 3, burst_limit = 4 } }
  }
  assert {
    condition     = module.http_api.throttling == { default = "5000 a second, burst 2000", "POST /v1/auth/login" = "3 a second, burst 4" }
    error_message = "What is given wins."
  }
}

run "on_the_local_cloud" {
  command = apply
  variables {
    local_endpoint   = "http://127.0.0.1:4566"
    artifacts_bucket = ""
  }

  # The local cloud throttles nothing.
  assert {
    condition     = keys(module.http_api.throttling) == ["default"] && length(data.aws_ssm_parameters_by_path.routes) == 0 && length(aws_ssm_parameter.routes) == 0
    error_message = "It has no throttling."
  }

  # The local cloud gets fixed addresses and its own bucket.
  assert {
    condition     = output.http_url == "http://127.0.0.1:4566/_aws/execute-api/http" && aws_s3_bucket.local_artifacts["this"].bucket == "holdfast-test-artifacts"
    error_message = "Local addresses follow from the endpoint."
  }
  assert {
    condition     = module.context.api_tags.http.ms-custom-id == substr(sha256("holdfast-test-http"), 0, 8) && module.context.alias_owner == "none"
    error_message = "The id is fixed by a tag; there is no alias."
  }
  assert {
    condition     = length(module.alarms.alarm_arns) == 0 && alltrue([for dashboard in module.dashboard : dashboard.name == null])
    error_message = "The local cloud evaluates no alarms."
  }

  # The policy of the key compares the sessions of the same roles on the local cloud.
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

run "browsers_of_the_allowed_origins_may_send_and_read_what_clients_need" {
  command = apply
  variables { allowed_origins = ["https://a.example"] }
  assert {
    condition = jsonencode(module.http_api.cors) == jsonencode({
      allow_origins     = ["https://a.example"]
      allow_methods     = ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]
      allow_headers     = ["authorization", "content-type", "if-match", "x-holdfast-csrf"]
      expose_headers    = ["etag", "retry-after", "x-request-id"]
      allow_credentials = true
      max_age_seconds   = 600
    })
    error_message = "Each header that a client sends or reads, and every method that a route has."
  }
  assert {
    condition     = length(setsubtract([for route in flatten([for entry in values(jsondecode(file(local.catalogue_file))) : try(entry.routes, [])]) : split(" ", route)[0] if route != "$default"], module.http_api.cors.allow_methods)) == 0
    error_message = "A method that a route has, and browsers may not use."
  }
}

run "a_developer_may_use_staging_from_localhost" {
  command = apply
  variables {
    env             = "staging"
    allowed_origins = ["https://staging.example.com", "http://localhost:5173", "http://127.0.0.1:5173", "http://[::1]:5173"]
  }
  assert {
    condition     = length(module.http_api.cors.allow_origins) == 4
    error_message = "http:// is allowed from the developer's own machine."
  }
}

run "locally_every_http_origin_is_allowed" {
  command = apply
  variables {
    env              = "local"
    local_endpoint   = "http://127.0.0.1:4566"
    artifacts_bucket = ""
    allowed_origins  = ["http://192.168.1.7:3000"]
  }
  assert {
    condition     = contains(module.http_api.cors.allow_origins, "http://192.168.1.7:3000")
    error_message = "Somebody tries the page from a phone."
  }
}

run "refuses_reserving_less_than_nothing" {
  command = plan
  variables { reserved_concurrency = { auth-login = -1 } }
  expect_failures = [var.reserved_concurrency]
}

run "refuses_reserving_a_part_of_an_execution" {
  command = plan
  variables { reserved_concurrency = { auth-login = 0.5 } }
  expect_failures = [var.reserved_concurrency]
}

run "refuses_reserving_for_a_function_that_does_not_exist" {
  command = plan
  variables { reserved_concurrency = { auth-signin = 5 } }
  expect_failures = [var.reserved_concurrency]
}

run "without_a_bootstrap_there_is_no_boundary" {
  command = apply
  variables { permissions_boundary = false }
  assert {
    condition     = alltrue([for arn in values(module.service.permissions_boundary_arns) : arn == null || arn == ""]) && module.context.permissions_boundary_arn == null
    error_message = "Locally nobody has made one."
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

run "refuses_wrong_common_values" {
  command = plan
  variables {
    region              = "mars"
    allowed_account_ids = ["1"]
    local_endpoint      = "http://10.0.0.1:4566"
    log_level           = "loud"
  }
  expect_failures = [var.region, var.allowed_account_ids, var.local_endpoint, var.log_level]
}

run "refuses_wrong_values" {
  command = plan
  variables {
    kms_mode        = "mine"
    health_details  = "nobody"
    route_throttles = { "POST /v1/auth/signin" = { rate_limit = 1, burst_limit = 1 } }

    account_requests_per_second = 99
  }
  expect_failures = [var.account_requests_per_second, var.route_throttles, var.health_details, var.kms_mode]
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
    condition     = length(aws_cloudwatch_event_rule.cache_status) + length(aws_cloudwatch_event_target.cache_status) + length(aws_lambda_permission.cache_status) == 0
    error_message = "The local cloud has no ElastiCache to look at."
  }
}

run "a_domain_name_is_the_address_of_the_api" {
  command = apply
  variables {
    allowed_origins = ["https://console.shop.example", "http://localhost:5173"]
    http_domain     = { name = "api.shop.example", site = "shop.example", certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/0123-abc" }
  }
  assert {
    condition     = output.http_url == "https://api.shop.example" && aws_ssm_parameter.output["http-url"].value == "https://api.shop.example" && output.http_api_url == "https://http.execute-api.us-east-1.amazonaws.com"
    error_message = "Clients get the name; the API's own address stays known."
  }
  assert {
    condition     = module.domain.settings.http.mapped_to == "http/$default" && module.http_api.settings.endpoint_disabled == false && keys(output.http_domain_targets) == ["api.shop.example"]
    error_message = "The name leads to the API, whose own address stays on unless it is switched off."
  }
}

run "refuses_mutual_tls_beside_an_address_without_it" {
  command = plan
  variables {
    http_domain = { name = "api.shop.example", certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/0123-abc", mutual_tls = { truststore_uri = "s3://trust/store.pem" } }
  }
  expect_failures = [var.http_domain]
}

run "refuses_a_domain_name_that_nobody_can_prove" {
  command = plan
  variables { http_domain = { name = "api.shop.example" } }
  expect_failures = [var.http_domain]
}

run "refuses_limits_that_let_nothing_through" {
  command = plan
  variables { http_throttling = { rate_limit = 0, burst_limit = 500 } }
  expect_failures = [var.http_throttling]
}

run "a_restored_table_keeps_its_new_name" {
  command = apply
  variables { table_names = { sessions = "holdfast-test-sessions-2" } }
  assert {
    condition     = output.tables == { sessions = "holdfast-test-sessions-2", connections = "holdfast-test-connections" } && aws_ssm_parameter.output["sessions-table-name"].value == "holdfast-test-sessions-2" && module.service.environment.ops-health.SESSIONS_TABLE == "holdfast-test-sessions-2"
    error_message = "The next deploy must not go back to the table that was lost."
  }
}

run "the_other_stacks_get_the_names_of_restored_tables" {
  command = apply
  variables { table_names = { connections = "holdfast-test-connections-2", activity = "holdfast-test-activity-2" } }
  assert {
    condition     = output.tables == { sessions = "holdfast-test-sessions", connections = "holdfast-test-connections-2" }
    error_message = "Only the tables that are named may change."
  }
  assert {
    condition     = [for name in ["sessions-table-name", "connections-table-name", "activity-table-name"] : aws_ssm_parameter.output[name].value] == ["holdfast-test-sessions", "holdfast-test-connections-2", "holdfast-test-activity-2"]
    error_message = "The stacks push and events read these parameters."
  }
  assert {
    condition     = endswith(aws_ssm_parameter.output["activity-table-arn"].value, ":table/holdfast-test-activity-2")
    error_message = "Permissions on the table have to follow its name."
  }
}

run "refuses_a_table_that_no_role_reaches" {
  command = plan
  variables { table_names = { sessions = "restored" } }
  expect_failures = [var.table_names]
}

run "a_table_that_is_named_has_provisioned_capacity_and_the_other_is_on_demand" {
  command = plan
  variables { table_capacity = { connections = { read = { min = 20, max = 400 }, write = { min = 10, max = 200 } } } }
  assert {
    condition     = module.sessions_table.settings.billing_mode == "PAY_PER_REQUEST" && length(module.sessions_table.settings.capacity) == 0 && module.connections_table.settings.billing_mode == "PROVISIONED"
    error_message = "Each table has its own mode."
  }
  assert {
    condition     = keys(module.connections_table.settings.capacity) == ["index/GSI1/read", "index/GSI1/write", "table/read", "table/write"]
    error_message = "The index is scaled like the table."
  }
}

run "refuses_provisioned_capacity_on_the_local_cloud" {
  command = plan
  variables {
    local_endpoint   = "http://127.0.0.1:4566"
    artifacts_bucket = ""
    table_capacity   = { sessions = { read = { min = 20, max = 400 }, write = { min = 10, max = 200 } } }
  }
  expect_failures = [var.table_capacity]
}

run "refuses_capacity_of_a_table_that_does_not_exist" {
  command = plan
  variables { table_capacity = { session = { read = { min = 20, max = 400 }, write = { min = 10, max = 200 } } } }
  expect_failures = [var.table_capacity]
}
