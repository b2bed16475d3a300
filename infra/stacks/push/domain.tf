# A domain name of your own for the WebSocket API. Functions post to sockets at API Gateway's own address, which a name does not change.

variable "websocket_domain" {
  description = "Domain name of the WebSocket API (`name`), such as ws.example.com. It must differ from that of the HTTP API. `hosted_zone_id` is the zone of Route 53 for the records. Without `certificate_arn`, a certificate is requested. Null for API Gateway's own address. The local cloud ignores it."
  type = object({
    name            = string
    hosted_zone_id  = optional(string)
    certificate_arn = optional(string)
  })
  default = null

  validation {
    condition     = var.websocket_domain == null ? true : var.websocket_domain.certificate_arn != null || var.websocket_domain.hosted_zone_id != null
    error_message = "websocket_domain must have certificate_arn, or hosted_zone_id to request a certificate."
  }
}

locals {
  has_domain = var.websocket_domain != null && !module.context.is_local
}

module "domain" {
  source = "../../modules/domain"

  create      = local.has_domain
  websocket   = { domain_name = try(var.websocket_domain.name, "unused.example.com"), api_id = module.websocket_api.id, stage = local.ws_stage }
  certificate = try(var.websocket_domain.certificate_arn, null) == null ? null : { arn = var.websocket_domain.certificate_arn }
  hosted_zone = try(var.websocket_domain.hosted_zone_id, null) == null ? (local.has_domain ? null : { id = "ZUNUSED" }) : { id = var.websocket_domain.hosted_zone_id }
}

output "websocket_domain_targets" {
  description = "Address that the domain name must point to where its DNS is not the hosted zone that websocket_domain names; empty without a domain name."
  value       = module.domain.targets
}
