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
  target = module.context.data.aws_ssm_parameter.cache["cache-cluster"]
  values = { insecure_value = "true" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.cache["cache-connect-arns"]
  values = { insecure_value = "arn:aws:elasticache:us-east-1:123456789012:serverlesscache:c,arn:aws:elasticache:us-east-1:123456789012:user:c-app" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.cache["cache-name"]
  values = { insecure_value = "holdfast-test" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.cache["cache-serverless"]
  values = { insecure_value = "true" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.cache["cache-url"]
  values = { insecure_value = "rediss://cache:6379" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.cache["cache-user"]
  values = { insecure_value = "holdfast-test-app" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.cache["network-functions-security-group-id"]
  values = { insecure_value = "sg-functions" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.cache["network-subnet-ids"]
  values = { insecure_value = "subnet-1,subnet-2" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/activity-table-name"]
  values = { insecure_value = "activity" }
}

variables {
  env              = "test"
  release_manifest = "tests/release.json"
  artifacts_bucket = "artifacts"
}

run "on_aws_those_that_use_the_cache_run_in_its_network_and_nobody_else_does" {
  command = apply
  variables { cache_provider = "redis" }
  assert {
    condition     = module.service.in_cache_network == toset(["events-cache-repair"])
    error_message = "The relay and the subscribers talk to queues, the bus and push: from in there they could not."
  }
  assert {
    condition = alltrue([for key, function in module.service.functions : (
      length([for grant in module.service.grants[key] : grant if startswith(grant, "elasticache:")]) == (contains(module.service.in_cache_network, key) ? 2 : 0)
    )])
    error_message = "They, and only they, may connect."
  }
  assert {
    condition     = alltrue([for key in module.service.in_cache_network : contains(module.service.grants[key], "elasticache:Connect arn:aws:elasticache:us-east-1:123456789012:serverlesscache:c") && contains(module.service.grants[key], "elasticache:Connect arn:aws:elasticache:us-east-1:123456789012:user:c-app")])
    error_message = "To this cache, as its user."
  }
  assert {
    condition = alltrue([for key, environment in module.service.environment : jsonencode({ for name, value in environment : name => value if startswith(name, "REDIS_") || name == "CACHE_PROVIDER" }) == (contains(module.service.in_cache_network, key) ? jsonencode({
      CACHE_PROVIDER       = "redis"
      REDIS_URL            = "rediss://cache:6379"
      REDIS_CLUSTER        = "true"
      REDIS_IAM_USER       = "holdfast-test-app"
      REDIS_IAM_CACHE      = "holdfast-test"
      REDIS_IAM_SERVERLESS = "true"
    }) : "{}")])
    error_message = "The address over TLS, the protocol, and what a token is signed for."
  }
  assert {
    condition     = jsonencode([module.context.private_cache.subnet_ids, module.context.private_cache.security_group_ids]) == jsonencode([["subnet-1", "subnet-2"], ["sg-functions"]])
    error_message = "The network that the stack platform made."
  }
}

run "between_the_providers_the_cache_is_only_deleted_from" {
  command = apply
  variables {
    cache_provider    = "redis"
    redis_delete_only = true
  }
  assert {
    condition     = alltrue([for key in module.service.in_cache_network : module.service.environment[key].CACHE_PROVIDER == "dynamodb" && module.service.environment[key].REDIS_URL == "rediss://cache:6379"]) && length(module.service.in_cache_network) == 1
    error_message = "An address without the provider redis means delete only; the network is needed all the same."
  }
}

run "without_redis_there_is_no_network" {
  command = apply
  assert {
    condition     = length(module.service.in_cache_network) == 0 && module.context.private_cache == null
    error_message = "Functions run outside any network."
  }
}
