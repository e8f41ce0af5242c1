package no.couchexplorers.yardstick;

import org.springframework.boot.CommandLineRunner;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.sqs.SqsClient;
import software.amazon.awssdk.services.sqs.model.SendMessageRequest;

/** What `benchmarks/java_client.py` measures against: one prompt to one queue, by Spring Boot, as the exam's client does it. */
@SpringBootApplication
public class Yardstick implements CommandLineRunner {

    public static void main(String[] arguments) {
        SpringApplication.run(Yardstick.class, arguments);
    }

    @Override
    public void run(String... arguments) {
        String prompt = arguments[0];
        System.out.println(prompt);
        SqsClient sqs = SqsClient.builder().region(Region.EU_WEST_1).build();
        var request = SendMessageRequest.builder().queueUrl(System.getenv("SQS_QUEUE_URL")).messageBody(prompt).build();
        System.out.println("Message sent successfully. Message ID: " + sqs.sendMessage(request).messageId());
    }
}
