output "name" {
  description = "Name of the dashboard; null without one."
  value       = try(aws_cloudwatch_dashboard.this["this"].dashboard_name, null)
}

output "body" {
  description = "Body of the dashboard (JSON); null without one."
  value       = try(aws_cloudwatch_dashboard.this["this"].dashboard_body, null)
}

output "settings" {
  description = "Content of each widget, by title, as `<statistic> in <period> s: <metric> as <label>; …`. Taken from the dashboard, for reviews and tests."
  value = { for widget in flatten([for dashboard in aws_cloudwatch_dashboard.this : jsondecode(dashboard.dashboard_body).widgets]) : widget.properties.title => format(
    "%s in %d s: %s", widget.properties.stat, widget.properties.period,
    join("; ", [for metric in widget.properties.metrics : join(" ", [for part in metric : try(tostring(part), "as ${part.label}")])]),
  ) }
}
