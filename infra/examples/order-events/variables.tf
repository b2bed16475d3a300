variable "name" {
  description = "Prefix of all names."
  type        = string
  default     = "order-events"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,29}$", var.name))
    error_message = "name must have 1 to 30 characters: a-z, 0-9 and '-', starting with a letter."
  }
}

variable "domain_name" {
  description = "Domain name of the API, below the domain of the hosted zone."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z]{2,63}$", var.domain_name))
    error_message = "domain_name must be a domain name in lower case, such as orders.example.com."
  }
}

variable "hosted_zone_id" {
  description = "Public hosted zone of Route 53 for the records of the domain name and of its certificate."
  type        = string

  validation {
    condition     = can(regex("^Z[A-Z0-9]{3,31}$", var.hosted_zone_id))
    error_message = "hosted_zone_id must be the id of a hosted zone, such as Z0123456789ABC."
  }
}

variable "vpc_id" {
  description = "VPC that exists, for the function that writes to the table."
  type        = string

  validation {
    condition     = can(regex("^vpc-[0-9a-z]+$", var.vpc_id))
    error_message = "vpc_id must be the id of a VPC (vpc-…)."
  }
}

variable "subnet_ids" {
  description = "Subnets of the VPC for the function, in at least two zones."
  type        = list(string)

  validation {
    condition     = length(distinct(var.subnet_ids)) >= 2 && alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-z]+$", id))])
    error_message = "subnet_ids must be at least two subnets (subnet-…), in different zones."
  }
}

variable "route_table_ids" {
  description = "Route tables of the subnets, to add the gateway endpoint to DynamoDB to. Empty if the VPC has one."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.route_table_ids : can(regex("^rtb-[0-9a-z]+$", id))])
    error_message = "route_table_ids must be ids of route tables (rtb-…)."
  }
}

variable "release_manifest" {
  description = "Manifest of the release: version, arch, and of each function sha256, file and s3Key."
  type        = string
}

variable "deletion_protection_enabled" {
  description = "Whether DynamoDB refuses to delete the table."
  type        = bool
  default     = false
}

variable "deny_insecure_transport" {
  description = "Whether the queues refuse requests without TLS; false only without TLS (a local cloud)."
  type        = bool
  default     = true
}
