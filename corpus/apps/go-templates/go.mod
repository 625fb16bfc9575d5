module example.com/recipes

go 1.23

require github.com/yuin/goldmark v1.7.8
