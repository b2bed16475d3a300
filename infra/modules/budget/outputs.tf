output "name" {
  description = "Name of the budget; null without one."
  value       = try(aws_budgets_budget.this["this"].name, null)
}

output "settings" {
  description = "Settings of the budget and its receivers, taken from the budget, for reviews and tests."
  value = one([for budget in aws_budgets_budget.this : {
    limit         = "${budget.limit_amount} ${budget.limit_unit} ${budget.time_unit}"
    notifications = sort([for notification in budget.notification : "${notification.notification_type} ${notification.comparison_operator} ${notification.threshold} ${notification.threshold_type} to ${join(", ", concat(tolist(coalesce(notification.subscriber_email_addresses, [])), tolist(coalesce(notification.subscriber_sns_topic_arns, []))))}"])
  }])
}
