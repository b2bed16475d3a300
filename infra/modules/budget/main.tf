locals {
  name = join("-", compact([var.name_prefix, var.name]))
}

resource "aws_budgets_budget" "this" {
  for_each = var.create ? { this = true } : {}

  account_id   = var.account_id
  name         = local.name
  budget_type  = "COST"
  limit_amount = tostring(var.monthly_limit_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  dynamic "cost_filter" {
    for_each = length(var.cost_allocation_tags) == 0 ? [] : [var.cost_allocation_tags]
    content {
      name   = "TagKeyValue"
      values = [for key, value in cost_filter.value : format("user:%s$%s", key, value)]
    }
  }

  dynamic "notification" {
    for_each = { for percent in var.notify_at_percent : tostring(percent) => percent }
    content {
      comparison_operator        = "GREATER_THAN"
      notification_type          = "ACTUAL"
      threshold                  = notification.value
      threshold_type             = "PERCENTAGE"
      subscriber_email_addresses = var.email_addresses
      subscriber_sns_topic_arns  = var.sns_topic_arns
    }
  }

  notification {
    comparison_operator        = "GREATER_THAN"
    notification_type          = "FORECASTED"
    threshold                  = 100
    threshold_type             = "PERCENTAGE"
    subscriber_email_addresses = var.email_addresses
    subscriber_sns_topic_arns  = var.sns_topic_arns
  }

  tags = var.tags
}
