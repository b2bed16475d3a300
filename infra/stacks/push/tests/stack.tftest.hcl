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
    defaults = { id = "ws", execution_arn = "arn:aws:execute-api:us-east-1:123456789012:ws" }
  }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/http-api-id"]
  values = { insecure_value = "http" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/http-api-execution-arn"]
  values = { insecure_value = "arn:aws:execute-api:us-east-1:123456789012:http" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/kms-key-arn"]
  values = { insecure_value = "none" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/sessions-table-name"]
  values = { insecure_value = "sessions" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/sessions-table-arn"]
  values = { insecure_value = "arn:aws:dynamodb:us-east-1:123456789012:table/sessions" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/connections-table-name"]
  values = { insecure_value = "connections" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/connections-table-arn"]
  values = { insecure_value = "arn:aws:dynamodb:us-east-1:123456789012:table/connections" }
}

override_resource {
  target = module.queue["push"].aws_sqs_queue.this["main"]
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:push", url = "https://sqs/push" }
}

override_resource {
  target = module.queue["push"].aws_sqs_queue.this["dlq"]
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:push-dlq", url = "https://sqs/push-dlq" }
}

override_resource {
  target = module.queue["broadcast"].aws_sqs_queue.this["main"]
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:broadcast", url = "https://sqs/broadcast" }
}

override_resource {
  target = module.queue["broadcast"].aws_sqs_queue.this["dlq"]
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:broadcast-dlq", url = "https://sqs/broadcast-dlq" }
}

override_resource {
  target = module.queue["close"].aws_sqs_queue.this["main"]
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:close", url = "https://sqs/close" }
}

override_resource {
  target = module.queue["close"].aws_sqs_queue.this["dlq"]
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:close-dlq", url = "https://sqs/close-dlq" }
}

variables {
  env              = "test"
  release_manifest = "tests/release.json"
  artifacts_bucket = "artifacts"
}

run "every_variable_reaches_the_functions_that_read_it" {
  command = apply
  variables {
    allowed_origins             = ["https://a.example", "https://b.example"]
    max_sessions_per_user       = 3
    topic_policy                = "arn:aws:lambda:us-east-1:123456789012:function:topics"
    presence_policy             = "arn:aws:lambda:us-east-1:123456789012:function:presence"
    connection_ttl_seconds      = 108
    max_connections_per_user    = 4
    account_requests_per_second = 2000
    push_budget_percent         = { direct = 15, broadcast = 10, recovery = 4 }
    trusted_proxy               = "cloudfront"
    origin_secret_sha256        = "0000000000000000000000000000000000000000000000000000000000000001"
    log_level                   = "debug"
  }
  assert {
    condition = jsonencode(module.service.environment) == jsonencode({
      push-authorizer = {
        ALLOWED_ORIGINS       = "https://a.example,https://b.example"
        CONNECTIONS_TABLE     = "connections"
        FUNCTION_KEY          = "push-authorizer"
        HOLDFAST_ENV          = "test"
        LOG_LEVEL             = "debug"
        MAX_SESSIONS_PER_USER = "3"
        SESSIONS_TABLE        = "sessions"
      }
      push-close-sockets = {
        CLOSE_QUEUE_URL   = "https://sqs/close"
        CONNECTIONS_TABLE = "connections"
        FUNCTION_KEY      = "push-close-sockets"
        HOLDFAST_ENV      = "test"
        LOG_LEVEL         = "debug"
        WS_CALLBACK_URL   = "https://ws.execute-api.us-east-1.amazonaws.com/v1"
      }
      push-connect = {
        CLOSE_QUEUE_URL          = "https://sqs/close"
        CONNECTIONS_TABLE        = "connections"
        CONNECTION_TTL_SECONDS   = "108"
        FUNCTION_KEY             = "push-connect"
        HOLDFAST_ENV             = "test"
        LOG_LEVEL                = "debug"
        MAX_CONNECTIONS_PER_USER = "4"
        MAX_SESSIONS_PER_USER    = "3"
        SESSIONS_TABLE           = "sessions"
        WS_CALLBACK_URL          = "https://ws.execute-api.us-east-1.amazonaws.com/v1"
      }
      push-default = {
        CONNECTIONS_TABLE         = "connections"
        CONNECTION_TTL_SECONDS    = "108"
        FUNCTION_KEY              = "push-default"
        HOLDFAST_ENV              = "test"
        LOG_LEVEL                 = "debug"
        MAX_SESSIONS_PER_USER     = "3"
        PRESENCE_POLICY           = "arn:aws:lambda:us-east-1:123456789012:function:presence"
        RECOVERY_POSTS_PER_SECOND = "80"
        SESSIONS_TABLE            = "sessions"
        TOPIC_POLICY              = "arn:aws:lambda:us-east-1:123456789012:function:topics"
        WS_CALLBACK_URL           = "https://ws.execute-api.us-east-1.amazonaws.com/v1"
      }
      push-disconnect = {
        CONNECTIONS_TABLE = "connections"
        FUNCTION_KEY      = "push-disconnect"
        HOLDFAST_ENV      = "test"
        LOG_LEVEL         = "debug"
      }
      push-fanout = {
        BROADCAST_DLQ_URL          = "https://sqs/broadcast-dlq"
        BROADCAST_POSTS_PER_SECOND = "100"
        BROADCAST_QUEUE_URL        = "https://sqs/broadcast"
        CONNECTIONS_TABLE          = "connections"
        FUNCTION_KEY               = "push-fanout"
        HOLDFAST_ENV               = "test"
        LOG_LEVEL                  = "debug"
        MAX_SESSIONS_PER_USER      = "3"
        PUSH_DLQ_URL               = "https://sqs/push-dlq"
        PUSH_POSTS_PER_SECOND      = "150"
        PUSH_QUEUE_URL             = "https://sqs/push"
        SESSIONS_TABLE             = "sessions"
        WS_CALLBACK_URL            = "https://ws.execute-api.us-east-1.amazonaws.com/v1"
      }
      push-history = {
        ALLOWED_ORIGINS       = "https://a.example,https://b.example"
        CONNECTIONS_TABLE     = "connections"
        FUNCTION_KEY          = "push-history"
        HOLDFAST_ENV          = "test"
        LOG_LEVEL             = "debug"
        MAX_SESSIONS_PER_USER = "3"
        ORIGIN_SECRET_SHA256  = "0000000000000000000000000000000000000000000000000000000000000001"
        SESSIONS_TABLE        = "sessions"
        TOPIC_POLICY          = "arn:aws:lambda:us-east-1:123456789012:function:topics"
        TRUSTED_PROXY         = "cloudfront"
      }
      push-publish = {
        BROADCAST_QUEUE_URL  = "https://sqs/broadcast"
        CONNECTIONS_TABLE    = "connections"
        FUNCTION_KEY         = "push-publish"
        HOLDFAST_ENV         = "test"
        LOG_LEVEL            = "debug"
        ORIGIN_SECRET_SHA256 = "0000000000000000000000000000000000000000000000000000000000000001"
        PUSH_QUEUE_URL       = "https://sqs/push"
        TRUSTED_PROXY        = "cloudfront"
      }
      push-ticket = {
        ALLOWED_ORIGINS       = "https://a.example,https://b.example"
        CONNECTIONS_TABLE     = "connections"
        FUNCTION_KEY          = "push-ticket"
        HOLDFAST_ENV          = "test"
        LOG_LEVEL             = "debug"
        MAX_SESSIONS_PER_USER = "3"
        ORIGIN_SECRET_SHA256  = "0000000000000000000000000000000000000000000000000000000000000001"
        SESSIONS_TABLE        = "sessions"
        TRUSTED_PROXY         = "cloudfront"
        WS_URL                = "wss://ws.execute-api.us-east-1.amazonaws.com/v1"
      }
    })
    error_message = "Each function gets exactly these variables, with the values that this run gives the stack."
  }
}

run "with_default_settings" {
  command = apply

  # The stack says which routes it has attached.
  assert {
    condition = jsondecode(output.policy_documents.publish).Statement == [
      { Effect = "Allow", Action = ["execute-api:Invoke"], Resource = ["${module.context.input["platform/http-api-execution-arn"]}/*/POST/v1/messages"] },
    ]
    error_message = "A service may publish, and nothing else: ${output.policy_documents.publish}"
  }
  assert {
    condition     = aws_ssm_parameter.routes["this"].name == "/holdfast/test/routes/push" && toset(split(",", aws_ssm_parameter.routes["this"].value)) == toset(["GET /v1/channels/{channel}/messages", "HEAD /v1/channels/{channel}/messages", "POST /v1/messages", "POST /v1/push/tickets"])
    error_message = "The stack platform sets limits for these routes."
  }

  # Without a proxy, no function is told of one.
  assert {
    condition     = length(module.service.reserved_concurrency) == 0 && !anytrue([for environment in values(module.service.environment) : can(environment.TRUSTED_PROXY) || can(environment.ORIGIN_SECRET_SHA256)])
    error_message = "The client's address is what API Gateway saw; nothing is reserved."
  }

  # Every role gets the boundary of the environment.
  assert {
    condition     = toset(values(module.service.permissions_boundary_arns)) == toset(["arn:aws:iam::123456789012:policy/holdfast-test-boundary"])
    error_message = "A pipeline can make no role without it."
  }

  # Each role allows exactly what its function needs.
  assert {
    condition = toset([for grant in module.service.grants["push-ticket"] : grant if !startswith(grant, "logs:") && !startswith(grant, "xray:")]) == toset([
      "dynamodb:GetItem arn:aws:dynamodb:us-east-1:123456789012:table/sessions",
      "dynamodb:PutItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:UpdateItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
    ])
    error_message = "push-ticket must be allowed exactly this."
  }
  assert {
    condition = toset([for grant in module.service.grants["push-publish"] : grant if !startswith(grant, "logs:") && !startswith(grant, "xray:")]) == toset([
      "dynamodb:ConditionCheckItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:GetItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:PutItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:UpdateItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "sqs:SendMessage arn:aws:sqs:us-east-1:123456789012:broadcast",
      "sqs:SendMessage arn:aws:sqs:us-east-1:123456789012:push",
    ])
    error_message = "push-publish must be allowed exactly this."
  }
  assert {
    condition = toset([for grant in module.service.grants["push-history"] : grant if !startswith(grant, "logs:") && !startswith(grant, "xray:")]) == toset([
      "dynamodb:GetItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:GetItem arn:aws:dynamodb:us-east-1:123456789012:table/sessions",
      "dynamodb:Query arn:aws:dynamodb:us-east-1:123456789012:table/connections",
    ])
    error_message = "push-history must be allowed exactly this."
  }
  assert {
    condition = toset([for grant in module.service.grants["push-authorizer"] : grant if !startswith(grant, "logs:") && !startswith(grant, "xray:")]) == toset([
      "dynamodb:GetItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:GetItem arn:aws:dynamodb:us-east-1:123456789012:table/sessions",
    ])
    error_message = "push-authorizer must be allowed exactly this."
  }
  assert {
    condition = toset([for grant in module.service.grants["push-connect"] : grant if !startswith(grant, "logs:") && !startswith(grant, "xray:")]) == toset([
      "dynamodb:ConditionCheckItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:DeleteItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:GetItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:GetItem arn:aws:dynamodb:us-east-1:123456789012:table/sessions",
      "dynamodb:PutItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:Query arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "execute-api:ManageConnections arn:aws:execute-api:us-east-1:123456789012:ws/v1/GET/@connections/*",
      "sqs:SendMessage arn:aws:sqs:us-east-1:123456789012:close",
    ])
    error_message = "push-connect must be allowed exactly this."
  }
  assert {
    condition = toset([for grant in module.service.grants["push-default"] : grant if !startswith(grant, "logs:") && !startswith(grant, "xray:")]) == toset([
      "dynamodb:ConditionCheckItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:DeleteItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:GetItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:GetItem arn:aws:dynamodb:us-east-1:123456789012:table/sessions",
      "dynamodb:PutItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:Query arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:UpdateItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "execute-api:ManageConnections arn:aws:execute-api:us-east-1:123456789012:ws/v1/DELETE/@connections/*",
      "execute-api:ManageConnections arn:aws:execute-api:us-east-1:123456789012:ws/v1/GET/@connections/*",
      "execute-api:ManageConnections arn:aws:execute-api:us-east-1:123456789012:ws/v1/POST/@connections/*",
    ])
    error_message = "push-default must be allowed exactly this."
  }
  assert {
    condition = toset([for grant in module.service.grants["push-disconnect"] : grant if !startswith(grant, "logs:") && !startswith(grant, "xray:")]) == toset([
      "dynamodb:DeleteItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:GetItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:PutItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:Query arn:aws:dynamodb:us-east-1:123456789012:table/connections",
    ])
    error_message = "push-disconnect must be allowed exactly this."
  }
  assert {
    condition = toset([for grant in module.service.grants["push-fanout"] : grant if !startswith(grant, "logs:") && !startswith(grant, "xray:")]) == toset([
      "dynamodb:ConditionCheckItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:DeleteItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:GetItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:GetItem arn:aws:dynamodb:us-east-1:123456789012:table/sessions",
      "dynamodb:PutItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:Query arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:Query arn:aws:dynamodb:us-east-1:123456789012:table/connections/index/GSI1",
      "dynamodb:UpdateItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "execute-api:ManageConnections arn:aws:execute-api:us-east-1:123456789012:ws/v1/GET/@connections/*",
      "execute-api:ManageConnections arn:aws:execute-api:us-east-1:123456789012:ws/v1/POST/@connections/*",
      "sqs:DeleteMessage arn:aws:sqs:us-east-1:123456789012:broadcast",
      "sqs:DeleteMessage arn:aws:sqs:us-east-1:123456789012:push",
      "sqs:GetQueueAttributes arn:aws:sqs:us-east-1:123456789012:broadcast",
      "sqs:GetQueueAttributes arn:aws:sqs:us-east-1:123456789012:push",
      "sqs:ReceiveMessage arn:aws:sqs:us-east-1:123456789012:broadcast",
      "sqs:ReceiveMessage arn:aws:sqs:us-east-1:123456789012:push",
      "sqs:SendMessage arn:aws:sqs:us-east-1:123456789012:broadcast",
      "sqs:SendMessage arn:aws:sqs:us-east-1:123456789012:broadcast-dlq",
      "sqs:SendMessage arn:aws:sqs:us-east-1:123456789012:push",
      "sqs:SendMessage arn:aws:sqs:us-east-1:123456789012:push-dlq",
    ])
    error_message = "push-fanout must be allowed exactly this."
  }
  assert {
    condition = toset([for grant in module.service.grants["push-close-sockets"] : grant if !startswith(grant, "logs:") && !startswith(grant, "xray:")]) == toset([
      "dynamodb:DeleteItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:GetItem arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "dynamodb:Query arn:aws:dynamodb:us-east-1:123456789012:table/connections",
      "execute-api:ManageConnections arn:aws:execute-api:us-east-1:123456789012:ws/v1/DELETE/@connections/*",
      "execute-api:ManageConnections arn:aws:execute-api:us-east-1:123456789012:ws/v1/GET/@connections/*",
      "execute-api:ManageConnections arn:aws:execute-api:us-east-1:123456789012:ws/v1/POST/@connections/*",
      "sqs:DeleteMessage arn:aws:sqs:us-east-1:123456789012:close",
      "sqs:GetQueueAttributes arn:aws:sqs:us-east-1:123456789012:close",
      "sqs:ReceiveMessage arn:aws:sqs:us-east-1:123456789012:close",
      "sqs:SendMessage arn:aws:sqs:us-east-1:123456789012:close",
    ])
    error_message = "push-close-sockets must be allowed exactly this."
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

  # On AWS, functions get the addresses of the WebSocket API.
  assert {
    condition     = output.ws_url == "wss://ws.execute-api.us-east-1.amazonaws.com/v1" && output.ws_callback_url == "https://ws.execute-api.us-east-1.amazonaws.com/v1"
    error_message = "Clients connect to wss, functions post to https."
  }
  assert {
    condition     = module.service.environment.push-default.WS_CALLBACK_URL == output.ws_callback_url && module.service.environment.push-ticket.WS_URL == output.ws_url
    error_message = "Functions must get the same addresses."
  }
  assert {
    condition     = output.queues == { push = "https://sqs/push", pushDlq = "https://sqs/push-dlq", broadcast = "https://sqs/broadcast", broadcastDlq = "https://sqs/broadcast-dlq", close = "https://sqs/close", closeDlq = "https://sqs/close-dlq" }
    error_message = "All six queues."
  }
  assert {
    condition     = module.websocket_api.route_authorization == { "$connect" = "CUSTOM", "$default" = "NONE", "$disconnect" = "NONE", "keepalive-frame" = "NONE" }
    error_message = "$connect alone is authorized."
  }

  # No frame can name a route of API Gateway, and none but the keep-alive has a route of its own.
  assert {
    condition     = module.websocket_api.route_selection_expression == "$${request.body.action}-frame"
    error_message = "A frame {\"action\":\"$connect\"} selects $connect-frame, which is no route, so it reaches the function that serves frames."
  }
  assert {
    condition     = module.websocket_api.settings.unanswered_routes == { "keepalive-frame" = "MOCK {\"statusCode\":200}, 1000 a second, burst 500, data trace false, metrics true, log ERROR" }
    error_message = "Keep-alives reach no function, are not logged, and have a tenth of the requests: ${jsonencode(module.websocket_api.settings.unanswered_routes)}"
  }

  # Posts stay within their part of the requests that the account may make.
  assert {
    condition     = local.posts_per_second == { direct = 2500, broadcast = 2500, recovery = 1000 }
    error_message = "A quarter each, and a tenth for recovery, of 10 000."
  }
  assert {
    condition     = local.workers == { direct = 5, broadcast = 2 } && local.posts_per_worker == { direct = 500, broadcast = 1250 }
    error_message = "As many workers as the budget needs; together they post no more than it."
  }
  assert {
    condition     = alltrue([for lane, workers in local.workers : workers * local.posts_per_worker[lane] <= local.posts_per_second[lane]])
    error_message = "All workers together stay within the budget."
  }

  # Chains through a queue do not end after 16 invocations, and an alarm tells of one that does.
  assert {
    condition     = module.service.recursive_loops == tolist(["push-close-sockets", "push-fanout"])
    error_message = "The two functions that send themselves work through a queue, and no other."
  }
  assert {
    condition     = module.alarms.settings["recursion-dropped"] == "result! = FILL(fanout, 0) + FILL(close, 0), close = Sum of AWS/Lambda RecursiveInvocationsDropped (FunctionName=holdfast-test-push-close-sockets) in 60 s, fanout = Sum of AWS/Lambda RecursiveInvocationsDropped (FunctionName=holdfast-test-push-fanout) in 60 s GreaterThanThreshold 0, 1 of 1, missing notBreaching, alarm to [], ok to []"
    error_message = "Both functions are watched: ${module.alarms.settings["recursion-dropped"]}"
  }
  assert {
    condition     = module.service.settings["push-fanout"].memory_mb == 1769
    error_message = "A whole processor: with less, one worker does not reach its part of the budget."
  }

  # The stage admits what posts to sockets leave of the account's requests.
  assert {
    condition     = module.websocket_api.settings.throttling == "4000 a second, burst 2000"
    error_message = "40 % of the account's 10 000 requests a second: ${module.websocket_api.settings.throttling}"
  }

  # By default users see only their own presence.
  assert {
    condition     = module.service.environment.push-default.PRESENCE_POLICY == "self" && !anytrue(flatten([for grants in values(module.service.grants) : [for grant in grants : startswith(grant, "lambda:")]]))
    error_message = "Whoever shows more says so."
  }
}

run "functions_can_have_executions_reserved" {
  command = apply
  variables { reserved_concurrency = { push-ticket = 7, events-relay = 3 } }
  assert {
    condition     = module.service.reserved_concurrency == { push-ticket = 7 }
    error_message = "Functions of this stack only; the others have none reserved."
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

run "addresses_on_the_local_cloud" {
  command = apply
  variables {
    local_endpoint   = "http://127.0.0.1:4566"
    artifacts_bucket = ""
  }
  assert {
    condition     = output.ws_url == "ws://127.0.0.1:4566/_aws/execute-api/ws/v1" && output.ws_callback_url == "http://127.0.0.1:4566/_aws/execute-api/ws/v1"
    error_message = "Local addresses follow from the endpoint."
  }
}

run "a_small_account_and_many_workers_keep_within_it_too" {
  command = apply
  variables {
    account_requests_per_second = 2500
    push_maximum_concurrency    = 100
    push_budget_percent         = { direct = 40, broadcast = 10, recovery = 10 }
  }
  assert {
    condition     = local.workers.direct * local.posts_per_worker.direct <= 1000 && local.posts_per_second.recovery == 250
    error_message = "40 % of 2 500 is 1 000, whoever posts."
  }
}

run "a_topic_policy_function_may_be_asked_and_nothing_else" {
  command = apply
  variables { topic_policy = "arn:aws:lambda:us-east-1:123456789012:function:topics" }
  assert {
    condition     = [for key, grants in module.service.grants : key if contains(grants, "lambda:InvokeFunction arn:aws:lambda:us-east-1:123456789012:function:topics")] == ["push-default", "push-history"]
    error_message = "The two functions that ask may call it."
  }
}

run "a_presence_policy_function_may_be_asked_by_the_one_that_asks" {
  command = apply
  variables { presence_policy = "arn:aws:lambda:us-east-1:123456789012:function:presence" }
  assert {
    condition     = [for key, grants in module.service.grants : key if contains(grants, "lambda:InvokeFunction arn:aws:lambda:us-east-1:123456789012:function:presence")] == ["push-default"]
    error_message = "Presence is asked over the socket only."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    push_p99_milliseconds         = 0
    topic_policy                  = "arn:aws:s3:::bucket"
    presence_policy               = "friends"
    connection_ttl_seconds        = 86401
    max_connections_per_user      = 0
    push_maximum_concurrency      = 1
    broadcast_maximum_concurrency = 1001
    close_maximum_concurrency     = 2.5
    account_requests_per_second   = 99
    push_budget_percent           = { direct = 40, broadcast = 40 }
    post_latency_milliseconds     = 0
    fanout_memory_mb              = 255
  }
  expect_failures = [var.fanout_memory_mb, var.account_requests_per_second, var.push_budget_percent, var.post_latency_milliseconds, var.push_p99_milliseconds, var.topic_policy, var.presence_policy, var.connection_ttl_seconds, var.max_connections_per_user, var.push_maximum_concurrency, var.broadcast_maximum_concurrency, var.close_maximum_concurrency]
}

run "a_domain_name_is_the_address_that_clients_connect_to" {
  command = apply
  variables { websocket_domain = { name = "ws.shop.example", certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/0123-abc" } }
  assert {
    condition     = output.ws_url == "wss://ws.shop.example" && module.service.environment.push-ticket.WS_URL == "wss://ws.shop.example" && module.domain.settings.websocket.mapped_to == "ws/v1"
    error_message = "Tickets carry the name, and it leads to the stage."
  }
  assert {
    condition     = output.ws_callback_url == "https://ws.execute-api.us-east-1.amazonaws.com/v1" && module.service.environment.push-fanout.WS_CALLBACK_URL == output.ws_callback_url
    error_message = "Functions post at API Gateway's own address."
  }
}

run "refuses_a_domain_name_that_nobody_can_prove" {
  command = plan
  variables { websocket_domain = { name = "ws.shop.example" } }
  expect_failures = [var.websocket_domain]
}

run "refuses_limits_that_let_nothing_through" {
  command = plan
  variables { websocket_throttling = { rate_limit = 0, burst_limit = 500 } }
  expect_failures = [var.websocket_throttling]
}
