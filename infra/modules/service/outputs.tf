output "functions" {
  description = "Every function by key: name, arn (to call), invoke_arn, qualifier, role_name."
  value = {
    for key, function in module.function : key => {
      name       = function.name
      arn        = function.arn
      invoke_arn = function.invoke_arn
      qualifier  = function.qualifier
      role_name  = function.role_name
    }
  }
}

output "function_names" {
  description = "Name of every function, by key."
  value       = { for key, function in module.function : key => function.name }
}

output "manifest_version" {
  description = "Version of the release."
  value       = local.manifest.version
}
