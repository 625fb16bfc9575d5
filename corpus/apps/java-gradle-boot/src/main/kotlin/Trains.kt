package org.example.trains

import org.springframework.boot.autoconfigure.SpringBootApplication
import org.springframework.boot.runApplication
import org.springframework.web.bind.annotation.GetMapping
import org.springframework.web.bind.annotation.RestController

@SpringBootApplication
@RestController
class Trains {
    @GetMapping("/")
    fun next() = "the next train leaves at 7:15"
}

fun main(arguments: Array<String>) {
    runApplication<Trains>(*arguments)
}
