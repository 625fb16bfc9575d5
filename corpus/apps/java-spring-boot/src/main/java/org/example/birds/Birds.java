package org.example.birds;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

@SpringBootApplication
@RestController
public class Birds {
    public static void main(String[] arguments) {
        SpringApplication.run(Birds.class, arguments);
    }

    @GetMapping("/")
    String birds() {
        return "seven birds were seen";
    }
}
