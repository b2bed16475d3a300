output "name" {
  description = "Name of the dashboard; null without one."
  value       = try(aws_cloudwatch_dashboard.this["this"].dashboard_name, null)
}
