output "functions" {
  description = "Name of every function of this stack, by key."
  value       = module.service.function_names
}
