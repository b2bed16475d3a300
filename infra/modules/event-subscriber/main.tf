locals {
  name = join("-", compact([var.name_prefix, var.name]))

  create = var.create ? { this = true } : {}

  pattern = {
    for key, values in {
      source      = var.sources
      detail-type = var.detail_types
    } : key => sort(values) if length(values) > 0
  }
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = local.create

  name           = local.name
  description    = var.description
  event_bus_name = var.event_bus_name
  event_pattern  = jsonencode(local.pattern)
  state          = var.enabled ? "ENABLED" : "DISABLED"
  tags           = var.tags
}

# What could not be delivered in time: nothing is lost silently.
module "dead_letter_queue" {
  source = "../sqs-queue"

  create                    = var.create
  name                      = "${local.name}-dlq"
  message_retention_seconds = 1209600
  dead_letter_queue         = null
  deny_insecure_transport   = var.deny_insecure_transport
  kms_key_arn               = var.kms_key_arn
  tags                      = var.tags

  senders = {
    EventBridge = {
      service    = "events.amazonaws.com"
      source_arn = try(aws_cloudwatch_event_rule.this["this"].arn, "")
    }
  }
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = local.create

  rule           = aws_cloudwatch_event_rule.this["this"].name
  event_bus_name = var.event_bus_name
  target_id      = "subscriber"
  arn            = var.target.arn

  retry_policy {
    maximum_event_age_in_seconds = var.maximum_event_age_seconds
    maximum_retry_attempts       = var.maximum_retry_attempts
  }

  dead_letter_config {
    arn = module.dead_letter_queue.arn
  }
}

# A queue's policy belongs to its owner: give sqs-queue the rule's ARN in `senders`.
resource "aws_lambda_permission" "this" {
  for_each = var.create && var.target.function_name != null ? { this = true } : {}

  statement_id  = "events-${local.name}"
  action        = "lambda:InvokeFunction"
  function_name = var.target.function_name
  qualifier     = var.target.function_qualifier
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.this["this"].arn
}

# EventBridge only sees that the function was called; what the function fails on is kept here, after its retries.
resource "aws_lambda_function_event_invoke_config" "this" {
  for_each = var.create && var.target.function_name != null ? { this = true } : {}

  function_name                = var.target.function_name
  qualifier                    = var.target.function_qualifier
  maximum_retry_attempts       = var.function_retry_attempts
  maximum_event_age_in_seconds = min(var.maximum_event_age_seconds, 21600)

  destination_config {
    on_failure {
      destination = module.dead_letter_queue.arn
    }
  }
}
