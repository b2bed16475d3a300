locals {
  name = join("-", compact([var.name_prefix, var.name]))
}

resource "aws_cloudwatch_event_bus" "this" {
  for_each = var.create ? { this = true } : {}

  name               = local.name
  kms_key_identifier = var.kms_key_arn
  tags               = var.tags

  dynamic "dead_letter_config" {
    for_each = var.dead_letter_queue_arn == null ? [] : [var.dead_letter_queue_arn]
    content {
      arn = dead_letter_config.value
    }
  }
}

resource "aws_cloudwatch_event_archive" "this" {
  for_each = var.create && var.archive_retention_days > 0 ? { this = true } : {}

  name             = local.name
  description      = "Events of ${local.name}, for replay."
  event_source_arn = aws_cloudwatch_event_bus.this["this"].arn
  retention_days   = var.archive_retention_days
  event_pattern    = var.archive_event_pattern
}

# Who may put events besides the account's own roles, which need their own policy only.
resource "aws_cloudwatch_event_bus_policy" "this" {
  for_each = var.create && length(var.policy_statements) > 0 ? { this = true } : {}

  event_bus_name = aws_cloudwatch_event_bus.this["this"].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for sid, statement in var.policy_statements : merge(
      {
        Sid       = sid
        Effect    = statement.effect
        Principal = { for kind, principals in statement.principals : kind => sort(principals) }
        Action    = ["events:PutEvents"]
        Resource  = aws_cloudwatch_event_bus.this["this"].arn
      },
      length(statement.conditions) == 0 ? {} : { Condition = statement.conditions },
    )]
  })
}
