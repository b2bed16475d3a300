data "aws_region" "current" {}

locals {
  name = join("-", compact([var.name_prefix, var.name]))

  lambda_widgets = [for widget in [
    { title = "Invocations", name = "Invocations", stat = "Sum" },
    { title = "Errors", name = "Errors", stat = "Sum" },
    { title = "Throttles", name = "Throttles", stat = "Sum" },
    { title = "Duration p99 (ms)", name = "Duration", stat = "p99" },
    ] : {
    title   = widget.title
    stat    = widget.stat
    metrics = [for key, name in var.functions : ["AWS/Lambda", widget.name, "FunctionName", name, { label = key }]]
  } if length(var.functions) > 0]

  queue_widgets = [for widget in [
    { title = "Age of the oldest message (s)", name = "ApproximateAgeOfOldestMessage", queues = var.queues },
    { title = "Messages in dead-letter queues", name = "ApproximateNumberOfMessagesVisible", queues = var.dead_letter_queues },
    ] : {
    title   = widget.title
    stat    = "Maximum"
    metrics = [for key, name in widget.queues : ["AWS/SQS", widget.name, "QueueName", name, { label = key }]]
  } if length(widget.queues) > 0]

  # CloudWatch wants a line as [namespace, name, dimension, value, …, {options}].
  metric_widgets = [for widget in var.metrics : {
    title = widget.title
    stat  = widget.stat
    metrics = [for line in widget.lines : concat(
      [line.namespace, line.name],
      flatten([for key in sort(keys(line.dimensions)) : [key, line.dimensions[key]]]),
      [{ label = line.label }],
    )]
  }]

  widgets = concat(local.metric_widgets, local.lambda_widgets, local.queue_widgets)
}

resource "aws_cloudwatch_dashboard" "this" {
  for_each = var.create ? { this = true } : {}

  dashboard_name = local.name

  # Two widgets a row, each 12 of 24 columns wide.
  dashboard_body = jsonencode({
    widgets = [for index, widget in local.widgets : {
      type   = "metric"
      x      = 12 * (index % 2)
      y      = 6 * floor(index / 2)
      width  = 12
      height = 6
      properties = {
        title   = widget.title
        region  = data.aws_region.current.id
        stat    = widget.stat
        period  = var.period_seconds
        metrics = widget.metrics
      }
    }]
  })
}
