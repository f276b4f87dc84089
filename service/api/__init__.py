"""HTTP: routes, schemas, authentication, request bodies, problem details."""
