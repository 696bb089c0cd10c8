// Command counterfoil serves sessions: login and account pages, an API with
// JWTs, and a logout after which nothing of the session is accepted.
//
//	counterfoil user add john
//	counterfoil serve
//
// The other commands look after users, sessions and keys. They may be used
// while servers run on the same store, and the servers follow.
package main

import "os"

func main() { os.Exit(run(os.Args[1:])) }
