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
  mock_resource "aws_cloudwatch_event_bus" {
    defaults = { arn = "arn:aws:events:us-east-1:123456789012:event-bus/bus" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:us-east-1:123456789012:rule/bus/rule" }
  }
  mock_resource "aws_dynamodb_table" {
    defaults = { arn = "arn:aws:dynamodb:us-east-1:123456789012:table/activity" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:123456789012:relay-dlq", url = "https://sqs/relay-dlq" }
  }
}

override_resource {
  target = module.bus_dlq.aws_sqs_queue.this
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:bus-dlq", url = "https://sqs/bus-dlq" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/kms-key-arn"]
  values = { insecure_value = "none" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/sessions-stream-arn"]
  values = { insecure_value = "arn:aws:dynamodb:us-east-1:123456789012:table/sessions/stream/2026" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["push/close-queue-url"]
  values = { insecure_value = "https://sqs/close" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["push/close-queue-arn"]
  values = { insecure_value = "arn:aws:sqs:us-east-1:123456789012:close" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["push/push-queue-url"]
  values = { insecure_value = "https://sqs/push" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["push/push-queue-arn"]
  values = { insecure_value = "arn:aws:sqs:us-east-1:123456789012:push" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/activity-table-name"]
  values = { insecure_value = "activity" }
}

override_resource {
  target = module.relay_dlq.aws_sqs_queue.this
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:relay-dlq", url = "https://sqs/relay-dlq" }
}

variables {
  env              = "test"
  release_manifest = "tests/release.json"
  artifacts_bucket = "artifacts"
}

run "every_variable_reaches_the_functions_that_read_it" {
  command = apply
  variables {
    log_level            = "debug"
    audit_retention_days = 500
  }
  assert {
    condition = jsonencode(module.service.environment) == jsonencode({
      events-audit-trail = {
        ACTIVITY_TABLE       = "activity"
        AUDIT_RETENTION_DAYS = "500"
        FUNCTION_KEY         = "events-audit-trail"
        HOLDFAST_ENV         = "test"
        LOG_LEVEL            = "debug"
      }
      events-last-login = {
        ACTIVITY_TABLE = "activity"
        FUNCTION_KEY   = "events-last-login"
        HOLDFAST_ENV   = "test"
        LOG_LEVEL      = "debug"
      }
      events-relay = {
        CLOSE_QUEUE_URL      = "https://sqs/close"
        EVENT_BUS            = "holdfast-test"
        FUNCTION_KEY         = "events-relay"
        HOLDFAST_ENV         = "test"
        LOG_LEVEL            = "debug"
        RELAY_DLQ_URL        = "https://sqs/relay-dlq"
        STREAM_PARTIAL_BATCH = "true"
      }
      events-security-alerts = {
        ACTIVITY_TABLE = "activity"
        FUNCTION_KEY   = "events-security-alerts"
        HOLDFAST_ENV   = "test"
        LOG_LEVEL      = "debug"
        PUSH_QUEUE_URL = "https://sqs/push"
      }
    })
    error_message = "Each function gets exactly these variables, with the values that this run gives the stack."
  }
}

run "with_default_settings" {
  command = apply

  # Every role gets the boundary of the environment.
  assert {
    condition     = toset(values(module.service.permissions_boundary_arns)) == toset(["arn:aws:iam::123456789012:policy/holdfast-test-boundary"])
    error_message = "A pipeline can make no role without it."
  }

  # Each role allows exactly what its function needs.
  assert {
    condition = toset([for grant in module.service.grants["events-relay"] : grant if !startswith(grant, "logs:") && !startswith(grant, "xray:")]) == toset([
      "dynamodb:DescribeStream arn:aws:dynamodb:us-east-1:123456789012:table/sessions/stream/2026",
      "dynamodb:GetRecords arn:aws:dynamodb:us-east-1:123456789012:table/sessions/stream/2026",
      "dynamodb:GetShardIterator arn:aws:dynamodb:us-east-1:123456789012:table/sessions/stream/2026",
      "dynamodb:ListStreams arn:aws:dynamodb:us-east-1:123456789012:table/sessions/stream/*",
      "events:PutEvents arn:aws:events:us-east-1:123456789012:event-bus/bus",
      "sqs:SendMessage arn:aws:sqs:us-east-1:123456789012:close",
      "sqs:SendMessage arn:aws:sqs:us-east-1:123456789012:relay-dlq",
    ])
    error_message = "events-relay must be allowed exactly this."
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

  # Subscribers hear what the catalogue says and may do no more.
  assert {
    condition = alltrue([
      for key, actions in {
        events-last-login      = ["dynamodb:UpdateItem"]
        events-audit-trail     = ["dynamodb:PutItem"]
        events-security-alerts = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
      } : toset([for grant in module.service.grants[key] : grant if startswith(grant, "dynamodb:")]) == toset([for action in actions : "${action} ${module.activity.arn}"])
    ])
    error_message = "The audit trail is append-only by its role, too."
  }
  assert {
    condition = alltrue([
      for key, queues in {
        events-last-login      = ["holdfast-test-events-last-login-dlq"]
        events-audit-trail     = ["holdfast-test-events-audit-trail-dlq"]
        events-security-alerts = ["holdfast-test-events-security-alerts-dlq", "push"]
      } : toset([for grant in module.service.grants[key] : grant if startswith(grant, "sqs:")]) == toset([for queue in queues : "sqs:SendMessage arn:aws:sqs:us-east-1:123456789012:${queue}"])
    ])
    error_message = "Alerts go to the push queue; what a subscriber fails on goes to its own dead-letter queue."
  }
  assert {
    condition     = toset(keys(module.subscriber)) == toset(["events-audit-trail", "events-last-login", "events-security-alerts"])
    error_message = "Each function with `subscribes` has a subscription."
  }
  assert {
    condition     = contains(module.service.grants["events-last-login"], "sqs:SendMessage arn:aws:sqs:us-east-1:123456789012:${module.subscriber["events-last-login"].dlq_name}")
    error_message = "A subscriber may put what it failed on into its own dead-letter queue."
  }

  # The relay retries for as long as an outage lasts.
  assert {
    condition     = jsonencode(module.service.stream_retries) == jsonencode({ events-relay = { sessions = { age_seconds = 86400, attempts = 10000 } } })
    error_message = "As long as the stream keeps a record: five attempts are over in seconds, and an event or a close would be lost."
  }

  # The relay reads only what can be an event.
  assert {
    condition = jsonencode(module.service.stream_batches) == jsonencode({
      events-relay = { sessions = {
        batch_size             = 100
        filter_patterns        = [jsonencode({ dynamodb = { Keys = { PK = { S = [{ prefix = "U#" }, { prefix = "L#" }] } } } })]
        parallelization_factor = 2
      } }
    })
    error_message = "Users and sign-ins: counters of attempts must not invoke the relay, or a flood of refused sign-ins delays the closing of sockets."
  }

  # One unreadable record is enough.
  assert {
    condition     = module.alarms.evaluations.records-unreadable == "1 of 1 of 60 s"
    error_message = "A record that was passed over comes once: two of three minutes would hide it."
  }

  # Without a cache there is nothing to repair.
  assert {
    condition     = !contains(keys(module.service.environment), "events-cache-repair")
    error_message = "events-cache-repair exists only with redis."
  }
}

run "a_partial_batch_is_answered_on_aws_only" {
  command = apply
  assert {
    condition     = module.service.environment.events-relay.STREAM_PARTIAL_BATCH == "true" && output.event_bus == "holdfast-test"
    error_message = "On AWS failures are reported per record."
  }
}

run "without_a_bootstrap_there_is_no_boundary" {
  command = apply
  variables { permissions_boundary = false }
  assert {
    condition     = alltrue([for arn in values(module.service.permissions_boundary_arns) : arn == null || arn == ""]) && module.context.permissions_boundary_arn == null
    error_message = "Locally nobody has made one."
  }
}

run "the_local_cloud_fails_the_whole_batch" {
  command = apply
  variables {
    local_endpoint   = "http://127.0.0.1:4566"
    artifacts_bucket = ""
  }
  assert {
    condition     = module.service.environment.events-relay.STREAM_PARTIAL_BATCH == "false"
    error_message = "The local cloud takes a partial answer for success."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    event_archive_days   = -1
    audit_retention_days = 0
  }
  expect_failures = [var.audit_retention_days, var.event_archive_days]
}

run "the_cache_is_repaired_where_there_is_one" {
  command = apply
  variables {
    local_endpoint   = "http://127.0.0.1:4566"
    artifacts_bucket = ""
    cache_provider   = "redis"
    local_redis_url  = "redis://127.0.0.1:6379/0"
  }
  assert {
    condition = toset([for grant in module.service.grants["events-cache-repair"] : grant if !startswith(grant, "logs:") && !startswith(grant, "xray:")]) == toset([
      "dynamodb:DescribeStream arn:aws:dynamodb:us-east-1:123456789012:table/sessions/stream/2026",
      "dynamodb:GetRecords arn:aws:dynamodb:us-east-1:123456789012:table/sessions/stream/2026",
      "dynamodb:GetShardIterator arn:aws:dynamodb:us-east-1:123456789012:table/sessions/stream/2026",
      "dynamodb:ListStreams arn:aws:dynamodb:us-east-1:123456789012:table/sessions/stream/*",
      "sqs:SendMessage arn:aws:sqs:us-east-1:123456789012:relay-dlq",
    ])
    error_message = "events-cache-repair must be allowed exactly this (every mocked queue has one ARN)."
  }
  assert {
    condition     = jsonencode(module.service.stream_retries["events-cache-repair"]) == jsonencode({ sessions = { age_seconds = 3600, attempts = 10000 } })
    error_message = "A delete is repeated until no copy can be young enough to be served, however often that is."
  }
  assert {
    condition = jsonencode(module.service.stream_batches["events-cache-repair"]) == jsonencode({ sessions = {
      batch_size             = 100
      filter_patterns        = [jsonencode({ dynamodb = { Keys = { PK = { S = [{ prefix = "U#" }] }, SK = { S = [{ prefix = "S#" }] } } } })]
      parallelization_factor = 1
    } })
    error_message = "Only slots of users are cached."
  }
  assert {
    condition     = toset([for key in keys(module.service.environment) : key if can(module.service.environment[key].STREAM_PARTIAL_BATCH)]) == toset(["events-cache-repair", "events-relay"])
    error_message = "A stream has two readers at most: AWS throttles a third."
  }
  assert {
    condition     = module.service.environment["events-cache-repair"].STREAM_PARTIAL_BATCH == "false"
    error_message = "The local cloud takes a partial answer for success."
  }
}
