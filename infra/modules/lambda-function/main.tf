locals {
  name = join("-", compact([var.name_prefix, var.name]))

  # source_code_hash is the base64 form of the SHA-256 that the release manifest gives in hexadecimal. Terraform has no
  # function for that: 3 hexadecimal digits are 12 bits are 2 base64 characters; 2 digits of padding make the last one '='.
  base64_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  base64_values   = [for i in range(22) : parseint(substr("${var.artifact.sha256}00", i * 3, 3), 16)]
  base64_chars    = flatten([for v in local.base64_values : [substr(local.base64_alphabet, floor(v / 64), 1), substr(local.base64_alphabet, v % 64, 1)]])
  code_hash       = "${join("", slice(local.base64_chars, 0, 43))}="

  create = var.create ? { this = true } : {}

  function_arn  = try(aws_lambda_function.this["this"].arn, null)
  function_name = try(aws_lambda_function.this["this"].function_name, null)
  alias         = try(aws_lambda_alias.terraform["this"], aws_lambda_alias.deployer["this"], null)

  # Everything calls the alias when there is one, so that a version is what is shifted and rolled back.
  qualifier     = var.alias_owner == "none" ? null : var.alias_name
  qualified_arn = local.qualifier == null ? local.function_arn : try(local.alias.arn, null)
}

# Before the function: a function that runs first makes a group of its own that is kept for ever.
resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:The caller chooses the retention (log_retention_days); it is validated and never unlimited

  for_each = local.create

  name              = "/aws/lambda/${local.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_116:Asynchronous callers have their own dead-letter queue (event-subscriber, stream_sources); a synchronous caller gets the error
  #checkov:skip=CKV_AWS_272:Artifacts are addressed by their hash and attested by the pipeline; code_signing_config_arn adds AWS Signer where it is wanted

  for_each = local.create

  function_name = local.name
  description   = var.description
  role          = aws_iam_role.this["this"].arn

  package_type     = "Zip"
  runtime          = var.runtime
  handler          = var.handler
  architectures    = [var.architecture]
  filename         = var.artifact.filename
  s3_bucket        = var.artifact.s3_bucket
  s3_key           = var.artifact.s3_key
  source_code_hash = local.code_hash

  memory_size                    = var.memory_size_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = var.reserved_concurrency
  publish                        = var.alias_owner != "none"
  kms_key_arn                    = var.kms_key_arn
  code_signing_config_arn        = var.code_signing_config_arn
  layers                         = var.layers

  # Without the block the function has AWS's 512 MB.
  dynamic "ephemeral_storage" {
    for_each = var.ephemeral_storage_mb == 512 ? [] : [var.ephemeral_storage_mb]
    content {
      size = ephemeral_storage.value
    }
  }

  environment {
    variables = var.environment
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this["this"].name

    application_log_level = var.application_log_level
    system_log_level      = var.system_log_level
  }

  tracing_config {
    mode = var.tracing_enabled ? "Active" : "PassThrough"
  }

  dynamic "vpc_config" {
    for_each = var.vpc == null ? [] : [var.vpc]
    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  tags = var.tags

  # A function must not run before it may do what it needs.
  depends_on = [aws_iam_role_policy.this]
}

# Lambda stops a chain of invocations through the same queue after about 16 of them. A function that sends itself further work on purpose needs
# this, and a bound of its own on each chain. Without it the setting is AWS's default, Terminate.
resource "aws_lambda_function_recursion_config" "this" {
  for_each = var.recursive_loop_allowed ? local.create : {}

  function_name  = local.function_name
  recursive_loop = "Allow"
}

# Terraform or the deployer owns where the alias points, never both: while a deployer shifts weights, Terraform would
# read them as drift and end the canary. Both have one name, and Terraform makes the new one first where a deployment of a
# WebSocket API depends on it. So the owner changes by way of none.
resource "aws_lambda_alias" "terraform" {
  for_each = var.alias_owner == "terraform" ? local.create : {}

  name             = var.alias_name
  description      = "The version that is served; moved by Terraform."
  function_name    = local.function_name
  function_version = aws_lambda_function.this["this"].version
}

resource "aws_lambda_alias" "deployer" {
  for_each = var.alias_owner == "deployer" ? local.create : {}

  name             = var.alias_name
  description      = "The version that is served; moved by the deployer."
  function_name    = local.function_name
  function_version = aws_lambda_function.this["this"].version

  lifecycle {
    ignore_changes = [function_version, routing_config]
  }
}

# Environments that are always initialised, for the version that the alias points to.
resource "aws_lambda_provisioned_concurrency_config" "this" {
  for_each = var.provisioned_concurrency == null ? {} : local.create

  function_name                     = local.function_name
  qualifier                         = local.alias.name
  provisioned_concurrent_executions = var.provisioned_concurrency
}

resource "aws_lambda_permission" "this" {
  for_each = var.create ? var.invoke_permissions : {}

  statement_id   = each.key
  action         = "lambda:InvokeFunction"
  function_name  = local.function_name
  qualifier      = try(local.alias.name, null)
  principal      = each.value.principal
  source_arn     = each.value.source_arn
  source_account = each.value.source_account
}

resource "aws_lambda_event_source_mapping" "queue" {
  for_each = var.create ? var.queue_sources : {}

  event_source_arn                   = each.value.queue_arn
  function_name                      = local.qualified_arn
  batch_size                         = each.value.batch_size
  maximum_batching_window_in_seconds = each.value.batching_window_seconds
  function_response_types            = ["ReportBatchItemFailures"]

  dynamic "scaling_config" {
    for_each = each.value.maximum_concurrency == null ? [] : [each.value.maximum_concurrency]
    content {
      maximum_concurrency = scaling_config.value
    }
  }

  tags = var.tags

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_event_source_mapping" "stream" {
  for_each = var.create ? var.stream_sources : {}

  event_source_arn                   = each.value.stream_arn
  function_name                      = local.qualified_arn
  starting_position                  = each.value.starting_position
  batch_size                         = each.value.batch_size
  parallelization_factor             = each.value.parallelization_factor
  maximum_retry_attempts             = each.value.maximum_retry_attempts
  maximum_record_age_in_seconds      = each.value.maximum_record_age_seconds
  bisect_batch_on_function_error     = true
  function_response_types            = ["ReportBatchItemFailures"]
  maximum_batching_window_in_seconds = each.value.batching_window_seconds

  destination_config {
    on_failure {
      destination_arn = each.value.on_failure_queue_arn
    }
  }

  dynamic "filter_criteria" {
    for_each = length(each.value.filter_patterns) == 0 ? [] : [each.value.filter_patterns]
    content {
      dynamic "filter" {
        for_each = filter_criteria.value
        content {
          pattern = filter.value
        }
      }
    }
  }

  tags = var.tags

  depends_on = [aws_iam_role_policy.this]
}
