output "name" {
  description = "Name of the dashboard; null without one."
  value       = try(aws_cloudwatch_dashboard.this["this"].dashboard_name, null)
}

output "body" {
  description = "What the dashboard shows (JSON); null without one."
  value       = try(aws_cloudwatch_dashboard.this["this"].dashboard_body, null)
}

output "settings" {
  description = "What each widget shows, by title, as `<statistic> in <period> s: <metric> as <label>; …`, taken from the dashboard itself: for reviews and tests."
  value = { for widget in flatten([for dashboard in aws_cloudwatch_dashboard.this : jsondecode(dashboard.dashboard_body).widgets]) : widget.properties.title => format(
    "%s in %d s: %s", widget.properties.stat, widget.properties.period,
    join("; ", [for metric in widget.properties.metrics : join(" ", [for part in metric : try(tostring(part), "as ${part.label}")])]),
  ) }
}
