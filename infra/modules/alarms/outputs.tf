output "alarm_arns" {
  description = "ARN of each alarm, by name without prefix."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.arn }
}

output "rollback_alarm_name" {
  description = "Alarm that says a release is bad; null without functions."
  value       = try(aws_cloudwatch_composite_alarm.rollback["this"].alarm_name, null)
}

output "descriptions" {
  description = "Description of each alarm, by name without prefix."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.alarm_description }
}

output "evaluations" {
  description = "How each alarm is looked at, by name without prefix: `<datapoints> of <periods> of <seconds> s`, taken from the alarm itself: for reviews and tests."
  value = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => format(
    "%d of %d of %s s", alarm.datapoints_to_alarm, alarm.evaluation_periods,
    join("/", distinct(flatten([for query in alarm.metric_query : [for metric in query.metric : metric.period]]))),
  ) }
}
