variable "create" {
  description = "Whether to create anything."
  type        = bool
  default     = true
}

variable "name" {
  description = "Name of the web ACL and prefix of the policies."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,100}$", join("-", compact([var.name_prefix, var.name]))))
    error_message = "name (after name_prefix) must have 1 to 100 characters out of a-z, A-Z, 0-9, '_' and '-'."
  }
}

variable "name_prefix" {
  description = "Prefix of the name, joined with '-'; null for none."
  type        = string
  default     = null
}

variable "domain_name" {
  description = "Domain name that viewers use (api.example.com). API Gateway must serve the same name (module domain), because CloudFront passes the host name on."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z]{2,63}$", var.domain_name))
    error_message = "domain_name must be a domain name in lower case, such as api.example.com."
  }
}

variable "origin_domain_name" {
  description = "Name at which API Gateway serves the domain name: the value in `targets` of the module domain."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z]{2,63}$", var.origin_domain_name))
    error_message = "origin_domain_name must be a domain name in lower case."
  }
}

variable "certificate_arn" {
  description = "Certificate of ACM for domain_name, issued, in us-east-1: CloudFront takes one from no other Region."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:acm:us-east-1:[0-9]{12}:certificate/[0-9a-f-]+$", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of a certificate of ACM in us-east-1."
  }
}

variable "origin_secret" {
  description = "Secret that CloudFront adds to each request to the API as the header X-Origin-Secret. The functions know its SHA-256 only (`origin_secret_sha256`). It is in the state of Terraform: encrypt the state, and replace the secret now and then."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{32,128}$", var.origin_secret))
    error_message = "origin_secret must have 32 to 128 characters out of a-z, A-Z, 0-9, '_' and '-'."
  }
}

variable "hosted_zone_id" {
  description = "Public hosted zone of Route 53 for the records of domain_name; null if something else writes them, such as the module domain (http_front). Then point the name to `target`."
  type        = string
  default     = null

  validation {
    condition     = var.hosted_zone_id == null ? true : can(regex("^Z[A-Z0-9]{3,31}$", var.hosted_zone_id))
    error_message = "hosted_zone_id must be the id of a hosted zone, such as Z0123456789ABC, or null."
  }
}

variable "managed_rules" {
  description = "Rule groups of AWS by name, in the order of their priority. With count_only a group counts and does not block."
  type = map(object({
    priority   = number
    count_only = optional(bool, false)
  }))
  default = {
    AWSManagedRulesAmazonIpReputationList = { priority = 10 }
    AWSManagedRulesCommonRuleSet          = { priority = 20 }
    AWSManagedRulesKnownBadInputsRuleSet  = { priority = 30 }
  }
  nullable = false

  validation {
    condition     = alltrue([for name, rule in var.managed_rules : startswith(name, "AWSManagedRules") && rule.priority >= 0 && rule.priority < 1000]) && length(distinct([for rule in values(var.managed_rules) : rule.priority])) == length(var.managed_rules)
    error_message = "managed_rules must be named AWSManagedRules…, with different priorities from 0 to 999."
  }
}

variable "requests_per_address" {
  description = "Requests of one address in five minutes above which WAF answers 429. Users behind one network share an address."
  type        = number
  default     = 3000

  validation {
    condition     = var.requests_per_address >= 100 && var.requests_per_address <= 2000000000 && floor(var.requests_per_address) == var.requests_per_address
    error_message = "requests_per_address must be a whole number from 100 to 2000000000."
  }
}

variable "price_class" {
  description = "Locations of CloudFront: PriceClass_100, PriceClass_200 or PriceClass_All."
  type        = string
  default     = "PriceClass_100"

  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], var.price_class)
    error_message = "price_class must be PriceClass_100, PriceClass_200 or PriceClass_All."
  }
}

variable "tags" {
  description = "Tags of everything that can have them."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.tags : length(key) >= 1 && length(key) <= 128 && !startswith(lower(key), "aws:") && length(value) <= 256])
    error_message = "tags must have names of 1 to 128 characters that do not start with aws:, and values of at most 256."
  }
}
