output "name" {
  description = "Name of the dashboard; null without one."
  value       = try(aws_cloudwatch_dashboard.this["this"].dashboard_name, null)
}

output "body" {
  description = "What the dashboard shows (JSON); null without one."
  value       = try(aws_cloudwatch_dashboard.this["this"].dashboard_body, null)
}
