package no.couchexplorers.imagegenerator;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class BatchesTest {
    @Test
    void a_batch_holds_ten_messages() {
        List<Message> messages = Collections.nCopies(25, new Message(1, "x"));

        assertEquals(List.of(10, 10, 5), sizes(messages));
    }

    @Test
    void a_batch_holds_one_mebibyte_counted_in_bytes() {
        String half = "å".repeat(Batches.MAXIMUM_BYTES / 4);

        assertEquals(List.of(2, 1), sizes(messages(half, half, "x")));
        assertEquals(List.of(1, 2), sizes(messages(half + "x", half, "x")));
        assertEquals(List.of(1, 1), sizes(messages(half + half, "x")));
    }

    private static List<Message> messages(String... bodies) {
        return Stream.of(bodies).map(body -> new Message(1, body)).toList();
    }

    private static List<Integer> sizes(List<Message> messages) {
        return Batches.of(messages).stream().map(List::size).toList();
    }
}
