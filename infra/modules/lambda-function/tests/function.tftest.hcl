mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { id = "example", arn = "arn:aws:iam::123456789012:role/example" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/example" }
  }
  mock_resource "aws_lambda_function" {
    defaults = {
      arn        = "arn:aws:lambda:us-east-1:123456789012:function:example"
      invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:example/invocations"
      version    = "7"
    }
  }
  mock_resource "aws_lambda_alias" {
    defaults = {
      arn        = "arn:aws:lambda:us-east-1:123456789012:function:example:live"
      invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:example:live/invocations"
    }
  }
}

variables {
  name     = "example"
  artifact = { sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", filename = "example.zip" }
}

run "the_role_gets_the_boundary" {
  command = plan
  variables { permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary" }
  assert {
    condition     = aws_iam_role.this["this"].permissions_boundary == "arn:aws:iam::123456789012:policy/boundary" && output.permissions_boundary_arn == aws_iam_role.this["this"].permissions_boundary
    error_message = "A role without it is not limited."
  }
}

run "the_hash_is_the_base64_form_of_the_hexadecimal_one" {
  command = plan
  assert {
    condition     = output.source_code_hash == base64sha256("test")
    error_message = "sha256(\"test\") must become base64sha256(\"test\")."
  }
}

run "defaults_are_safe" {
  command = apply
  variables { environment = { TABLE = "t" } }
  assert {
    condition     = aws_lambda_function.this["this"].reserved_concurrent_executions == null
    error_message = "Nothing may be reserved by default: new accounts have too little."
  }
  assert {
    condition     = aws_cloudwatch_log_group.this["this"].retention_in_days == 30 && aws_lambda_function.this["this"].logging_config[0].log_group == aws_cloudwatch_log_group.this["this"].name
    error_message = "The function must log to its own group, which has a retention."
  }
  assert {
    condition     = aws_lambda_function.this["this"].runtime == "provided.al2023" && aws_lambda_function.this["this"].handler == "bootstrap" && aws_lambda_function.this["this"].architectures == tolist(["arm64"])
    error_message = "A Rust binary on arm64 is the default."
  }
  assert {
    condition     = output.qualifier == "live" && output.arn == "arn:aws:lambda:us-east-1:123456789012:function:example:live" && aws_lambda_alias.terraform["this"].function_version == "7"
    error_message = "Callers must get the alias, and it must point at the new version."
  }
  assert {
    condition     = length(aws_lambda_function_recursion_config.this) == 0 && output.recursive_loop == "Terminate" && aws_lambda_function.this["this"].logging_config[0].application_log_level == "INFO"
    error_message = "Loops are stopped, and metrics are never below Lambda's log filter."
  }
  assert {
    condition     = aws_lambda_function.this["this"].tracing_config[0].mode == "Active"
    error_message = "Tracing is on by default."
  }
  assert {
    condition     = aws_lambda_function.this["this"].source_code_hash == base64sha256("test") && aws_lambda_function.this["this"].filename == "example.zip" && aws_lambda_function.this["this"].environment[0].variables == tomap({ TABLE = "t" })
    error_message = "A changed zip is deployed, and the function gets its environment."
  }
  assert {
    condition = jsonencode(jsondecode(aws_iam_role.this["this"].assume_role_policy).Statement) == jsonencode([{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }])
    error_message = "Lambda takes the role, and nobody else."
  }
  assert {
    condition     = output.invoke_arn == aws_lambda_alias.terraform["this"].invoke_arn
    error_message = "API Gateway must call the alias."
  }
}

run "a_role_carries_its_logs_and_tracing_and_nothing_else" {
  command = apply
  assert {
    condition = jsondecode(aws_iam_role_policy.this["this"].policy).Statement == [
      { Sid = "Logs", Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = ["arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/example:*"] },
      { Sid = "Tracing", Effect = "Allow", Action = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], Resource = ["*"] },
    ]
    error_message = "Without permissions a function may write its own logs and traces only."
  }
}

run "permissions_are_added_as_they_are" {
  command = apply
  variables {
    tracing_enabled = false
    permissions = {
      Table = { actions = ["dynamodb:PutItem", "dynamodb:GetItem"], resources = ["arn:aws:dynamodb:us-east-1:123456789012:table/t"] }
    }
    kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/k"
  }
  assert {
    condition     = jsonencode(jsondecode(aws_iam_role_policy.this["this"].policy).Statement[2]) == jsonencode({ Sid = "Key", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = ["arn:aws:kms:us-east-1:123456789012:key/k"] })
    error_message = "The caller's key, to read and write data with."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.this["this"].policy).Statement[1] == { Sid = "Table", Effect = "Allow", Action = ["dynamodb:GetItem", "dynamodb:PutItem"], Resource = ["arn:aws:dynamodb:us-east-1:123456789012:table/t"] }
    error_message = "The statement must be exactly what was asked for."
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.this["this"].policy, "\"*\"")
    error_message = "Without tracing there is no bare \"*\"."
  }
}

run "readers_of_queues_and_streams_get_what_lambda_needs" {
  command = apply
  variables {
    tracing_enabled = false
    queue_sources   = { work = { queue_arn = "arn:aws:sqs:us-east-1:123456789012:work", maximum_concurrency = 5 } }
    stream_sources = { items = {
      stream_arn           = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000"
      on_failure_queue_arn = "arn:aws:sqs:us-east-1:123456789012:failed"
    } }
  }
  assert {
    condition = slice(jsondecode(aws_iam_role_policy.this["this"].policy).Statement, 1, 5) == [
      { Sid = "ConsumeWork", Effect = "Allow", Action = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], Resource = ["arn:aws:sqs:us-east-1:123456789012:work"] },
      { Sid = "ReadItems", Effect = "Allow", Action = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"], Resource = ["arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000"] },
      { Sid = "ListItems", Effect = "Allow", Action = ["dynamodb:ListStreams"], Resource = ["arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/*"] },
      { Sid = "FailItems", Effect = "Allow", Action = ["sqs:SendMessage"], Resource = ["arn:aws:sqs:us-east-1:123456789012:failed"] },
    ]
    error_message = "Lambda reads with the function's role: receive, delete, attributes; stream records; the on-failure queue."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.queue["work"].function_response_types == toset(["ReportBatchItemFailures"]) && aws_lambda_event_source_mapping.stream["items"].function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "Failures must be reported per record, or one bad record repeats its whole batch."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.stream["items"].bisect_batch_on_function_error && aws_lambda_event_source_mapping.stream["items"].maximum_retry_attempts == 5 && aws_lambda_event_source_mapping.stream["items"].maximum_record_age_in_seconds == 3600
    error_message = "A bad record must not block its shard for a day."
  }
  assert {
    condition     = jsonencode(output.stream_retries) == jsonencode({ items = { age_seconds = 3600, attempts = 5 } })
    error_message = "The output says what the mapping has."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.queue["work"].function_name == output.arn && aws_lambda_event_source_mapping.stream["items"].function_name == output.arn && aws_lambda_event_source_mapping.queue["work"].scaling_config[0].maximum_concurrency == 5
    error_message = "The mapping must call the alias, with the concurrency asked for."
  }
}

run "each_setting_is_what_was_asked_for" {
  command = apply
  variables {
    artifact             = { sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", s3_bucket = "artifacts", s3_key = "example.zip" }
    architecture         = "x86_64"
    memory_size_mb       = 384
    timeout_seconds      = 45
    reserved_concurrency = 3
    log_retention_days   = 7
    kms_key_arn          = "arn:aws:kms:us-east-1:123456789012:key/k"
    alias_owner          = "deployer"
    tracing_enabled      = false

    runtime                  = "python3.13"
    handler                  = "handler.handle"
    environment              = { TABLE = "t" }
    permissions              = { Table = { actions = ["dynamodb:GetItem"], resources = ["arn:aws:dynamodb:us-east-1:123456789012:table/t"] } }
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
    tags                     = { project = "shop" }
    vpc                      = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
    # Lambda's own filters.
    application_log_level  = "DEBUG"
    system_log_level       = "WARN"
    recursive_loop_allowed = true
    queue_sources          = { work = { queue_arn = "arn:aws:sqs:us-east-1:123456789012:work", maximum_concurrency = 5, batch_size = 4, batching_window_seconds = 2 } }
    stream_sources = { items = {
      stream_arn                 = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000"
      on_failure_queue_arn       = "arn:aws:sqs:us-east-1:123456789012:failed"
      starting_position          = "LATEST"
      batch_size                 = 6
      batching_window_seconds    = 1
      parallelization_factor     = 3
      maximum_retry_attempts     = 8
      maximum_record_age_seconds = 120
      filter_patterns            = ["{\"eventName\":[\"INSERT\"]}"]
    } }
  }
  assert {
    condition = jsonencode(output.settings) == jsonencode({
      alias_owner          = "deployer"
      architectures        = ["x86_64"]
      artifacts_bucket     = "artifacts"
      kms_key_arn          = "arn:aws:kms:us-east-1:123456789012:key/k"
      log_days             = 7
      log_format           = "JSON"
      log_kms_key_arn      = "arn:aws:kms:us-east-1:123456789012:key/k"
      log_level            = "DEBUG"
      memory_mb            = 384
      publishes_versions   = true
      reserved_concurrency = 3
      system_log_level     = "WARN"
      timeout_seconds      = 45
      tracing              = "PassThrough"
    })
    error_message = "The function as asked for: ${jsonencode(output.settings)}"
  }
  assert {
    condition = jsonencode(output.definition) == jsonencode({
      application_log_level    = "DEBUG"
      architecture             = "x86_64"
      artifact                 = { filename = null, s3_bucket = "artifacts", s3_key = "example.zip", sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }
      code_signing_config_arn  = null
      environment              = { TABLE = "t" }
      handler                  = "handler.handle"
      kms_key_arn              = "arn:aws:kms:us-east-1:123456789012:key/k"
      log_retention_days       = 7
      memory_size_mb           = 384
      permissions              = { Table = { actions = ["dynamodb:GetItem"], conditions = {}, resources = ["arn:aws:dynamodb:us-east-1:123456789012:table/t"] } }
      permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
      runtime                  = "python3.13"
      system_log_level         = "WARN"
      tags                     = { project = "shop" }
      timeout_seconds          = 45
      tracing_enabled          = false
      vpc                      = { security_group_ids = ["sg-1"], subnet_ids = ["subnet-1"] }
    })
    error_message = "Another instance gets the same: ${jsonencode(output.definition)}"
  }
  assert {
    condition     = aws_lambda_function.this["this"].runtime == "python3.13" && aws_lambda_function.this["this"].handler == "handler.handle"
    error_message = "Code of another language than Rust."
  }
  assert {
    condition     = aws_lambda_function_recursion_config.this["this"].recursive_loop == "Allow" && aws_lambda_function_recursion_config.this["this"].function_name == aws_lambda_function.this["this"].function_name && output.recursive_loop == "Allow"
    error_message = "A function that sends itself work must not be stopped after 16 invocations."
  }
  assert {
    condition = jsonencode(output.sources) == jsonencode({
      items = {
        age_seconds            = 120
        arn                    = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000"
        attempts               = 8
        batch_size             = 6
        bisects                = true
        failures_to_arn        = "arn:aws:sqs:us-east-1:123456789012:failed"
        filters                = ["{\"eventName\":[\"INSERT\"]}"]
        parallelization_factor = 3
        response_types         = ["ReportBatchItemFailures"]
        starting_position      = "LATEST"
        window_seconds         = 1
      }
      work = {
        arn                 = "arn:aws:sqs:us-east-1:123456789012:work"
        batch_size          = 4
        maximum_concurrency = 5
        response_types      = ["ReportBatchItemFailures"]
        window_seconds      = 2
      }
    })
    error_message = "The mappings as asked for: ${jsonencode(output.sources)}"
  }
}

run "signed_code_can_be_asked_for" {
  command = plan
  variables { code_signing_config_arn = "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0123456789abcdef0" }
  assert {
    condition     = aws_lambda_function.this["this"].code_signing_config_arn == var.code_signing_config_arn
    error_message = "The function must be held to it."
  }
}

run "every_lambda_permission_has_a_source" {
  command = apply
  variables {
    invoke_permissions = { rule = { principal = "events.amazonaws.com", source_arn = "arn:aws:events:us-east-1:123456789012:rule/bus/r" } }
  }
  assert {
    condition     = [for permission in aws_lambda_permission.this : [permission.principal, permission.source_arn, permission.qualifier, permission.action]] == [["events.amazonaws.com", "arn:aws:events:us-east-1:123456789012:rule/bus/r", "live", "lambda:InvokeFunction"]]
    error_message = "Without a source ARN any account's resources could call the function."
  }
}

run "in_a_vpc_the_code_is_denied_what_lambda_may" {
  command = apply
  variables {
    tracing_enabled = false
    vpc             = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.this["this"].policy).Statement[2].Effect == "Deny" && jsondecode(aws_iam_role_policy.this["this"].policy).Statement[1].Action == jsondecode(aws_iam_role_policy.this["this"].policy).Statement[2].Action
    error_message = "The code itself must be denied the network interface calls."
  }
  assert {
    condition     = jsonencode(jsondecode(aws_iam_role_policy.this["this"].policy).Statement[2].Condition) == jsonencode({ ArnLike = { "lambda:SourceFunctionArn" = ["arn:*:lambda:*:*:function:example"] } })
    error_message = "The code, and not Lambda itself."
  }
  assert {
    condition     = output.vpc == { subnet_ids = toset(["subnet-1"]), security_group_ids = toset(["sg-1"]) }
    error_message = "The function must be in the network."
  }
}

run "without_an_owner_there_is_no_version_and_no_alias" {
  command = apply
  variables { alias_owner = "none" }
  assert {
    condition     = aws_lambda_function.this["this"].publish == false && length(aws_lambda_alias.terraform) + length(aws_lambda_alias.deployer) == 0 && output.qualifier == null && output.arn == output.function_arn
    error_message = "Callers must get the function itself."
  }
}

run "a_deployer_owns_its_own_alias" {
  command = apply
  variables { alias_owner = "deployer" }
  assert {
    condition     = length(aws_lambda_alias.terraform) == 0 && length(aws_lambda_alias.deployer) == 1
    error_message = "Terraform or the deployer, never both."
  }
}

run "create_false_makes_nothing" {
  command = plan
  variables {
    create                 = false
    recursive_loop_allowed = true
  }
  assert {
    condition     = length(aws_lambda_function.this) + length(aws_iam_role.this) + length(aws_lambda_function_recursion_config.this) + length(aws_cloudwatch_log_group.this) == 0 && output.arn == null
    error_message = "Nothing may be created."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    name                     = "has space"
    artifact                 = { sha256 = "short", filename = "a.zip" }
    architecture             = "riscv"
    runtime                  = "go1.x"
    handler                  = "a b"
    memory_size_mb           = 64
    timeout_seconds          = 901
    reserved_concurrency     = -1
    permissions              = { "bad sid" = { actions = ["s3:GetObject"], resources = ["arn:aws:s3:::b/k"] } }
    invoke_permissions       = { a = { principal = "events.amazonaws.com", source_arn = "*" } }
    queue_sources            = { a = { queue_arn = "arn:aws:sqs:us-east-1:123456789012:q", maximum_concurrency = 1 } }
    stream_sources           = { a = { stream_arn = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/1", on_failure_queue_arn = "arn:aws:sqs:us-east-1:123456789012:q", starting_position = "AT_TIMESTAMP" } }
    vpc                      = { subnet_ids = [], security_group_ids = ["sg-1"] }
    alias_owner              = "both"
    alias_name               = "7"
    log_retention_days       = 0
    tags                     = { "aws:owner" = "me" }
    kms_key_arn              = "alias/mine"
    permissions_boundary_arn = "boundary"
    description              = format("%257s", "x")
    environment              = { AWS_REGION = "us-east-1" }
    code_signing_config_arn  = "csc-1"
    application_log_level    = "WARN"
  }
  expect_failures = [
    var.application_log_level, var.runtime, var.handler,
    var.name, var.artifact, var.architecture, var.memory_size_mb, var.timeout_seconds, var.reserved_concurrency, var.permissions, var.invoke_permissions,
    var.queue_sources, var.stream_sources, var.vpc, var.alias_owner, var.alias_name, var.log_retention_days, var.tags, var.kms_key_arn, var.permissions_boundary_arn, var.description, var.environment, var.code_signing_config_arn,
  ]
}

run "refuses_two_places_for_the_zip" {
  command = plan
  variables {
    artifact           = { sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", filename = "a.zip", s3_bucket = "b", s3_key = "k" }
    permissions        = { A = { actions = ["dynamodb:*"], resources = ["arn:aws:dynamodb:us-east-1:123456789012:table/t"] } }
    invoke_permissions = { a = { principal = "*", source_arn = "arn:aws:events:us-east-1:123456789012:rule/r" } }
    queue_sources      = { a = { queue_arn = "arn:aws:sqs:us-east-1:123456789012:q", batch_size = 11 } }
    stream_sources     = { a = { stream_arn = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/1", on_failure_queue_arn = "arn:aws:sqs:us-east-1:123456789012:q", maximum_retry_attempts = -1 } }
    environment        = { BIG = format("%4097s", "x") }
  }
  expect_failures = [var.artifact, var.permissions, var.invoke_permissions, var.queue_sources, var.stream_sources, var.environment]
}

run "refuses_a_bare_star" {
  command = plan
  variables {
    permissions    = { A = { actions = ["dynamodb:GetItem"], resources = ["*"] } }
    stream_sources = { a = { stream_arn = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/1", on_failure_queue_arn = "arn:aws:sqs:us-east-1:123456789012:q", maximum_record_age_seconds = -1 } }
    queue_sources  = { a = { queue_arn = "https://sqs.example/work" } }
  }
  expect_failures = [var.permissions, var.stream_sources, var.queue_sources]
}

run "refuses_a_statement_without_actions" {
  command = plan
  variables {
    permissions    = { A = { actions = [], resources = ["arn:aws:s3:::b/k"] } }
    stream_sources = { a = { stream_arn = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/1", on_failure_queue_arn = "arn:aws:sqs:us-east-1:123456789012:q", parallelization_factor = 11 } }
  }
  expect_failures = [var.permissions, var.stream_sources]
}

run "the_prefix_goes_before_the_name" {
  command = plan
  variables { name_prefix = "team" }
  assert {
    condition     = aws_lambda_function.this["this"].function_name == "team-example"
    error_message = "The name must start with the prefix."
  }
}

run "refuses_a_table_in_place_of_its_stream" {
  command = plan
  variables {
    stream_sources = { a = { stream_arn = "arn:aws:dynamodb:us-east-1:123456789012:table/t", on_failure_queue_arn = "arn:aws:sqs:us-east-1:123456789012:failed" } }
  }
  expect_failures = [var.stream_sources]
}

run "refuses_a_batch_of_nothing" {
  command = plan
  variables {
    stream_sources = { a = { stream_arn = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/1", on_failure_queue_arn = "arn:aws:sqs:us-east-1:123456789012:failed", batch_size = 0 } }
  }
  expect_failures = [var.stream_sources]
}

run "layers_storage_and_lambdas_own_log_can_be_set" {
  command = plan
  variables {
    layers               = ["arn:aws:lambda:us-east-1:123456789012:layer:agent:3"]
    ephemeral_storage_mb = 1024
    system_log_level     = "WARN"
  }
  assert {
    condition     = aws_lambda_function.this["this"].layers == tolist(["arn:aws:lambda:us-east-1:123456789012:layer:agent:3"]) && aws_lambda_function.this["this"].ephemeral_storage[0].size == 1024 && aws_lambda_function.this["this"].logging_config[0].system_log_level == "WARN"
    error_message = "The function as asked for."
  }
}

run "environments_can_be_kept_for_the_alias" {
  command = apply
  variables {
    provisioned_concurrency = 2
    reserved_concurrency    = 5
  }
  assert {
    condition     = [for config in aws_lambda_provisioned_concurrency_config.this : [config.function_name, config.qualifier, config.provisioned_concurrent_executions]] == [["example", "live", 2]]
    error_message = "Two environments, for what callers call."
  }
}

run "whole_policies_are_added_to_the_role" {
  command = apply
  variables {
    tracing_enabled = false
    policies = {
      Queue = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"sqs:SendMessage\"],\"Resource\":[\"arn:aws:sqs:us-east-1:123456789012:q\"]}]}"
      Table = "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"dynamodb:GetItem\",\"Resource\":\"arn:aws:dynamodb:us-east-1:123456789012:table/t\",\"Condition\":{\"Bool\":{\"aws:SecureTransport\":\"true\"}}}}"
    }
  }
  assert {
    condition = jsonencode(slice(jsondecode(aws_iam_role_policy.this["this"].policy).Statement, 1, 3)) == jsonencode([
      { Sid = "Queue0", Effect = "Allow", Action = ["sqs:SendMessage"], Resource = ["arn:aws:sqs:us-east-1:123456789012:q"] },
      { Sid = "Table0", Effect = "Allow", Action = ["dynamodb:GetItem"], Resource = ["arn:aws:dynamodb:us-east-1:123456789012:table/t"], Condition = { Bool = { "aws:SecureTransport" = "true" } } },
    ])
    error_message = "Both documents, with their conditions: ${aws_iam_role_policy.this["this"].policy}"
  }
  assert {
    condition     = contains(output.grants, "sqs:SendMessage arn:aws:sqs:us-east-1:123456789012:q")
    error_message = "Reviews must see them."
  }
}

run "refuses_a_layer_without_version_and_a_window_of_a_fifo_queue" {
  command = plan
  variables {
    layers                  = ["arn:aws:lambda:us-east-1:123456789012:layer:agent"]
    ephemeral_storage_mb    = 256
    system_log_level        = "ERROR"
    provisioned_concurrency = 0
    policies                = { A = "no document" }
    queue_sources           = { a = { queue_arn = "arn:aws:sqs:us-east-1:123456789012:q.fifo", batching_window_seconds = 1 } }
  }
  expect_failures = [var.layers, var.ephemeral_storage_mb, var.system_log_level, var.provisioned_concurrency, var.policies, var.queue_sources]
}

run "refuses_environments_for_no_alias_and_a_policy_of_every_action" {
  command = plan
  variables {
    alias_owner             = "none"
    provisioned_concurrency = 1
    policies                = { A = "{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"sqs:*\"],\"Resource\":[\"arn:aws:sqs:us-east-1:123456789012:q\"]}]}" }
  }
  expect_failures = [var.provisioned_concurrency, var.policies]
}
