module github.com/counterfoil/counterfoil/bench

go 1.26.4

replace github.com/counterfoil/counterfoil => ../
