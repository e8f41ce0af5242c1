package no.couchexplorers.imagegenerator;

import static no.couchexplorers.imagegenerator.Failing.refusal;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MessageTest {
    @Test
    void the_body_is_the_bare_prompt() throws UsageException {
        assertEquals(" Blåbær 🫐\t狐 ", Message.of(" Blåbær 🫐\t狐 ").body());
    }

    @Test
    void the_size_counts_bytes_not_letters() throws UsageException {
        assertEquals(3 + 4 + 2, Message.of("狐🦊å").bytes());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "\t\n", "\u00a0\u3000", "\u200b\u200d\ufeff", "\u2800", "\u3164\ufe0f", "\u2028"})
    void a_prompt_that_cannot_be_seen_is_refused(String prompt) {
        assertEquals("The prompt is empty: say what to paint.", refusal(() -> Message.of(prompt)));
    }

    @Test
    void one_mebibyte_is_taken_and_not_one_byte_more() throws UsageException {
        String longest = "å".repeat(Message.MAXIMUM_BYTES / 2);

        assertEquals(1_048_576, Message.of(longest).bytes());
        assertEquals(
                "Line 3 of prompts.txt is too long: it has 1,048,577 bytes in UTF-8 and a message at most 1,048,576. "
                        + "Shorten it.",
                refusal(() -> Message.ofLine(3, longest + "a", "prompts.txt")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"0000", "0007", "001B", "D83D", "DE00", "FFFE", "FFFF"})
    void a_character_that_sqs_does_not_take_is_named(String number) {
        char character = (char) Integer.parseInt(number, 16);

        assertEquals(
                "The prompt holds the character U+" + number + ", which SQS does not take: remove it.",
                refusal(() -> Message.of("a" + character + "b")));
    }

    @Test
    void a_prompt_in_braces_is_a_job_and_checked_as_one() throws UsageException {
        assertEquals(" {\"prompt\": \"x\"}", Message.of(" {\"prompt\": \"x\"}").body());
        assertTrue(refusal(() -> Message.of("{curly")).startsWith("The prompt starts with \"{\" but is no valid JSON"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "null",
                "true",
                "7",
                "-1.5e3",
                "\"a castle\"",
                "[]",
                "[\"a castle\"]",
                " [1, {\"prompt\": \"a\"}] ",
                "\ufeffnull"
            })
    void json_that_is_no_job_is_refused(String text) {
        assertTrue(refusal(() -> Message.of(text)).startsWith("The prompt is JSON, but no job: "));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "null and void",
                "[cat]",
                "[cat, dog]",
                "007",
                "NaN",
                "Infinity",
                "'null'",
                "\"Vintage\" Paris",
                "7 castles",
                "TRUE",
                "a ❤\ufe0f"
            })
    void words_that_only_resemble_json_are_prompts(String text) throws UsageException {
        assertEquals(text, Message.of(text).body());
    }

    @Test
    void a_job_after_a_byte_order_mark_is_checked_as_one() {
        assertTrue(refusal(() -> Message.of("\ufeff\u200b{}")).contains("prompt"));
    }
}
