output "alarm_arns" {
  description = "ARN of each alarm, by name without prefix."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.arn }
}

output "rollback_alarm_name" {
  description = "Alarm that reports a bad release; null without functions."
  value       = try(aws_cloudwatch_composite_alarm.rollback["this"].alarm_name, null)
}

output "descriptions" {
  description = "Description of each alarm, by name without prefix."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.alarm_description }
}

output "evaluations" {
  description = "Evaluation of each alarm, by name without prefix, as `<datapoints> of <periods> of <seconds> s`. Taken from the alarm, for reviews and tests."
  value = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => format(
    "%d of %d of %s s", alarm.datapoints_to_alarm, alarm.evaluation_periods,
    join("/", distinct(flatten([for query in alarm.metric_query : [for metric in query.metric : metric.period]]))),
  ) }
}

output "settings" {
  description = "Metric, comparison and topics of each alarm, in one line, by name without prefix. Taken from the alarm, for reviews and tests."
  value = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => format(
    "%s %s %s, %d of %d, missing %s, alarm to [%s], ok to [%s]",
    join(", ", [for query in alarm.metric_query : join("", concat(
      [query.id, query.return_data == true ? "!" : "", " = "],
      [for metric in query.metric : format(
        "%s of %s %s (%s) in %s s", metric.stat, metric.namespace, metric.metric_name,
        join(", ", [for name, value in metric.dimensions == null ? {} : metric.dimensions : join("=", [name, value])]), metric.period,
      )],
      compact([query.expression]),
    ))]),
    alarm.comparison_operator, alarm.threshold, alarm.datapoints_to_alarm, alarm.evaluation_periods, alarm.treat_missing_data,
    join(", ", coalesce(alarm.alarm_actions, [])), join(", ", coalesce(alarm.ok_actions, [])),
  ) }
}

output "rollback_rule" {
  description = "Alarms (without prefix) that each report a bad release, taken from the composite alarm, for reviews and tests."
  value = flatten([for alarm in aws_cloudwatch_composite_alarm.rollback : [
    for name in regexall("ALARM\\(.([^)]*).\\)", alarm.alarm_rule) : trimprefix(name[0], format("%s-", var.name_prefix))
  ]])
}

output "topic_arn" {
  description = "ARN of the module's own topic; null without one."
  value       = one([for topic in aws_sns_topic.this : topic.arn])
}
