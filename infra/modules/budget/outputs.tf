output "name" {
  description = "Name of the budget; null without one."
  value       = try(aws_budgets_budget.this["this"].name, null)
}
