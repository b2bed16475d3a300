# What this stack sets, hands on and watches, row by row, taken from the resources: tests/settings.json says what each row is in each
# environment. The same file in the stacks that have functions (checked by test.sh); `own_settings` is the part of each.
locals {
  # What an alarm that each function has says of it; the threshold of its duration is told with the function.
  function_alarms = { for name in ["errors", "throttles", "duration"] : name => {
    for key, function in module.service.functions : key => module.alarms.settings["${key}-${name}"] if can(module.alarms.settings["${key}-${name}"])
  } }
  duration_thresholds = { for key, alarm in local.function_alarms.duration : key => regex("Threshold ([0-9.]+),", alarm)[0] }

  own_alarms = { for name, alarm in module.alarms.settings : name => alarm if !contains(flatten([
    for key in keys(module.service.functions) : ["${key}-errors", "${key}-throttles", "${key}-duration"]
  ]), name) }

  # Of what all functions have alike, the list of values that there are: one, where they are alike.
  alike = setsubtract(flatten([for function in values(module.service.settings) : keys(function)]), ["memory_mb", "reserved_concurrency", "timeout_seconds"])

  settings_by_part = merge(local.own_settings, {
    alarm  = local.own_alarms
    alarms = { runbooks = distinct([for description in values(module.alarms.descriptions) : try(regex("What to do: (.*)/[a-z-]+[.]md$", description)[0], "none")]) }
    "alarms of functions" = { for name, alarms in local.function_alarms : name => distinct([
      for key, alarm in alarms : replace(replace(alarm, module.service.function_names[key], "[name]"), "Threshold ${local.duration_thresholds[key]},", name == "duration" ? "Threshold [threshold]," : "Threshold ${local.duration_thresholds[key]},")
    ]) }
    function = { for key, function in module.service.settings : key => merge(
      { for name in ["memory_mb", "reserved_concurrency", "timeout_seconds"] : name => function[name] },
      { alarm_above_ms = lookup(local.duration_thresholds, key, null) },
    ) }
    functions  = { for name in local.alike : name => distinct([for function in values(module.service.settings) : function[name]]) }
    "rollback" = { "any of" = module.alarms.rollback_rule }
    route      = module.service.routes
    variable = { for name in distinct(flatten([for environment in values(module.service.environment) : keys(environment)])) : name => sort(distinct([
      for environment in values(module.service.environment) : environment[name] if can(environment[name])
    ])) if name != "FUNCTION_KEY" }
    }, {
    for pair in flatten([for key, sources in module.service.sources : [for source, settings in sources : { name = "source ${source} of ${key}", settings = settings }]]) : pair.name => pair.settings
  })

  settings = merge([for part, settings in local.settings_by_part : { for name, setting in settings : "${part}: ${name}" => jsonencode(setting) }]...)
}
